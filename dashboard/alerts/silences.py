"""Silences of checks in S3: which check sends no alert, and until when.

Each silence is an object of its own whose key says all: when it was set, the check, and its end.
The one set last counts, so a silence is ended by another that ends at once. Nothing is overwritten.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from dashboard.alerts.objects import list_keys
from dashboard.aws.write_once import create_once
from dashboard.failures.notes import TRIAGE_PREFIX

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

SILENCES_PREFIX: Final = f"{TRIAGE_PREFIX}silences/"

_TIME = "%Y%m%dT%H%M%S%fZ"
_KEY = re.compile(r"(\d{8}T\d{12}Z)/([a-z-]+)/(\d{8}T\d{12}Z)")


def silence_check(
    s3: "S3Client", bucket: str, slug: str, until: datetime, *, now: datetime
) -> None:
    """Have a check send no alert until a time; ``now`` ends an earlier silence.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The watched workflow's.
        slug: The check, such as ``data-health``.
        until: Aware.
        now: Aware.

    Raises:
        WorkflowError: AWS's own code.
    """
    times = [time.astimezone(UTC).strftime(_TIME) for time in (now, until)]
    create_once(s3, bucket, f"{SILENCES_PREFIX}{times[0]}/{slug}/{times[1]}.json", b"{}")


def read_silences(s3: "S3Client", bucket: str, *, now: datetime) -> dict[str, datetime]:
    """Return the silenced checks and the end of each silence.

    Raises:
        WorkflowError: AWS's own code.
    """
    return silenced_checks((key for key, _ in list_keys(s3, bucket, SILENCES_PREFIX)), now=now)


def silenced_checks(keys: Iterable[str], *, now: datetime) -> dict[str, datetime]:
    """Return the silenced checks and the end of each silence, from the keys of all silences.

    Keys that nobody here wrote are left out.
    """
    ends: dict[str, datetime] = {}
    for key in sorted(keys):
        if (match := _KEY.fullmatch(key)) and (until := _parse_time(match[3])):
            ends[match[2]] = until
    return {slug: until for slug, until in ends.items() if until > now}


def _parse_time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
