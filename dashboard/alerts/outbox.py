"""The outbox of alerts in S3: each alert is published to SNS at least once, whatever is killed.

An alert is written to the outbox before it is published. Once SNS has taken it, an object under
``ALERTS_PREFIX`` says so, and it leaves the outbox. The dashboard that wrote it tries until then;
any other one takes over what has waited for longer than ``TAKEN_OVER``. So an alert goes out twice
only where a dashboard ends between the publication and its record.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import ClientError

from dashboard.alerts.client import Alert
from dashboard.alerts.objects import list_keys
from dashboard.alerts.silences import read_silences
from dashboard.aws.errors import explained
from dashboard.aws.write_once import create_once
from dashboard.failures.notes import TRIAGE_PREFIX
from workflow.errors import WorkflowError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sns import SNSClient

ALERTS_PREFIX = f"{TRIAGE_PREFIX}alerts/"
OUTBOX_PREFIX = f"{TRIAGE_PREFIX}outbox/"
TAKEN_OVER = timedelta(minutes=5)

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})


class AlertOutbox:
    """Publishes each alert once, as far as that can be known.

    Args:
        s3: A boto3 ``s3`` client.
        sns: A boto3 ``sns`` client.
        bucket: Where alerts wait, and where it is recorded that they went out.
        topic_arn: The topic of alerts.
    """

    def __init__(self, s3: "S3Client", sns: "SNSClient", bucket: str, topic_arn: str) -> None:
        self._s3 = s3
        self._sns = sns
        self._bucket = bucket
        self._topic_arn = topic_arn
        self._published: set[str] = set()
        self._mine: set[str] = set()
        self._tried: set[str] = set()

    def add(self, alert: Alert) -> None:
        """Write an alert into the outbox, unless it waits there or went out.

        Raises:
            WorkflowError: AWS's own code; the alert was not written then.
        """
        # Known without asking S3: the same alerts are due again every minute while their cause
        # lasts.
        if alert.key in self._published or alert.key in self._mine:
            return
        if self._is_recorded(alert.key):
            self._published.add(alert.key)
            return
        tried = alert.key in self._tried  # S3 may have written it although its answer was lost
        self._tried.add(alert.key)
        waiting, body = _waiting_key(alert.key), msgspec.json.encode(alert)
        # Of several dashboards one creates it, and that one delivers it.
        if create_once(self._s3, self._bucket, waiting, body) or tried:
            self._mine.add(alert.key)
        self._tried.discard(alert.key)

    def deliver(self, *, now: datetime) -> tuple[WorkflowError, ...]:
        """Publish what waits; why some could not be, one that is refused stops no other.

        Args:
            now: Aware.

        Raises:
            WorkflowError: AWS's own code, where the outbox cannot be listed.
        """
        problems = []
        for key, since in list(list_keys(self._s3, self._bucket, OUTBOX_PREFIX)):
            # Others are given time to deliver theirs: else two would publish the same at once.
            if key in self._mine or now - since > TAKEN_OVER:
                try:
                    self._deliver_alert(key)
                except WorkflowError as error:
                    problems.append(error)
        return tuple(problems)

    def list_keys(self, beginning: str) -> tuple[str, ...]:
        """Return the keys of alerts that wait or went out and that begin so.

        Raises:
            WorkflowError: AWS's own code.
        """
        prefixes = (ALERTS_PREFIX, OUTBOX_PREFIX)
        return tuple(
            key
            for prefix in prefixes
            for key, _ in list_keys(self._s3, self._bucket, prefix, beginning)
        )

    def silences(self, *, now: datetime) -> dict[str, datetime]:
        """Return the silenced checks and the end of each silence.

        Raises:
            WorkflowError: AWS's own code.
        """
        return read_silences(self._s3, self._bucket, now=now)

    def _deliver_alert(self, key: str) -> None:
        waiting = _waiting_key(key)
        with explained("s3:GetObject", f"s3://{self._bucket}/{waiting}"):
            body = self._s3.get_object(Bucket=self._bucket, Key=waiting)["Body"].read()
        # Recorded and yet in the outbox: somebody ended between the record and the deletion.
        if key not in self._published and not self._is_recorded(key):
            self._publish(_decode_alert(body, waiting))
        self._published.add(key)
        # Before it leaves the outbox: the other way round, a crash would have it written and sent
        # again.
        create_once(self._s3, self._bucket, _record_key(key), body)
        with explained("s3:DeleteObject", f"s3://{self._bucket}/{waiting}"):
            self._s3.delete_object(Bucket=self._bucket, Key=waiting)
        self._mine.discard(key)

    def _publish(self, alert: Alert) -> None:
        with explained("sns:Publish", self._topic_arn):
            self._sns.publish(
                TopicArn=self._topic_arn,
                Subject=_convert_to_ascii(alert.subject),
                Message=alert.body,
            )

    def _is_recorded(self, key: str) -> bool:
        """Return whether the alert went out."""
        address = f"s3://{self._bucket}/{_record_key(key)}"
        with explained("s3:HeadObject", address):
            try:
                self._s3.head_object(Bucket=self._bucket, Key=_record_key(key))
            except ClientError as error:
                if error.response["Error"]["Code"] in _ABSENT:
                    return False
                raise
        return True


def _waiting_key(key: str) -> str:
    return f"{OUTBOX_PREFIX}{key}.json"


def _record_key(key: str) -> str:
    return f"{ALERTS_PREFIX}{key}.json"


def _decode_alert(body: bytes, key: str) -> Alert:
    try:
        return msgspec.json.decode(body, type=Alert)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WorkflowError(
            "AlertUnreadable",
            f"The alert that waits in {key} cannot be read ({error}).",
            "Delete that object: the alert is written again while its cause lasts.",
        ) from error


def _convert_to_ascii(text: str) -> str:
    """Return a subject as SNS takes it: ASCII, in one line."""
    return " ".join(text.encode("ascii", "replace").decode().split())
