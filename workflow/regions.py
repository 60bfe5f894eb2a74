"""Regions: which one is meant and who says so, and the partition of AWS that it belongs to."""

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from workflow.errors import WorkflowError

VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
"""The variables that name a region, the stronger first."""

_LISTED = re.compile(r"[a-z]+(-[a-z]+)+-\d+")


@dataclass(frozen=True, slots=True)
class Region:
    """A region and, for people, where its name comes from, such as ``AWS_REGION``."""

    name: str
    source: str


@dataclass(frozen=True, slots=True)
class Partition:
    """A group of regions with accounts and ARNs of its own.

    Attributes:
        name: First part of its ARNs, such as ``aws-cn``.
        dns_suffix: End of the host names of its services, such as ``amazonaws.com.cn``.
        regions: Its regions that botocore knows.
    """

    name: str
    dns_suffix: str
    regions: frozenset[str]


def resolve(
    environ: Mapping[str, str], *, explicit: str | None = None, profile: str | None = None
) -> Region:
    """Return the one region that the command line and the dashboard both use.

    Args:
        environ: Read for ``AWS_REGION``, then ``AWS_DEFAULT_REGION``.
        explicit: The region that was asked for by an argument; it overrides all others.
        profile: The region of the profile in use; it counts where nothing else names one.

    Raises:
        WorkflowError: ``RegionMissing`` where nothing names a region.
    """
    candidates = (
        Region(explicit or "", "--region"),
        *(Region(environ.get(name, ""), name) for name in VARIABLES),
        Region(profile or "", f"profile {environ.get('AWS_PROFILE') or 'default'}"),
    )
    found = next((region for region in candidates if region.name), None)
    if found is None:
        raise WorkflowError(
            "RegionMissing",
            "No AWS region is set: neither --region, AWS_REGION, AWS_DEFAULT_REGION nor the"
            " profile names one.",
            "Set AWS_REGION, for example `export AWS_REGION=eu-west-1`; for a local cloud, to the"
            " region that its endpoint.json gives.",
        )
    return found


def resource_arn(service: str, region: str, account: str, resource: str) -> str:
    """Return the ARN of a resource that belongs to a region and an account.

    Raises:
        WorkflowError: ``SettingInvalid`` where no partition has such a region.
    """
    return f"arn:{partition_of(region).name}:{service}:{region}:{account}:{resource}"


def partition_of(region: str) -> Partition:
    """Return the partition of a region, by the data that botocore ships.

    Raises:
        WorkflowError: ``SettingInvalid`` where no partition has regions of such a name.
    """
    for pattern, partition in _read_partitions():
        if region in partition.regions or pattern.fullmatch(region):
            return partition
    raise WorkflowError(
        "SettingInvalid",
        f"{region!r} is not an AWS region.",
        "Set AWS_REGION to a region such as us-east-1.",
    )


def console_url(region: str, path: str) -> str:
    """Return the address of a page of the AWS console, in the partition of a region.

    Args:
        region: Such as ``cn-north-1``.
        path: Service and page, with ``{region}`` where the page wants it.

    Raises:
        WorkflowError: ``SettingInvalid`` where it is not a region.
    """
    partition = partition_of(region)
    domain = _CONSOLES.get(partition.name, partition.dns_suffix)
    return f"https://{region}.console.{domain}/{path.format(region=region)}"


_CONSOLES = {
    "aws": "aws.amazon.com",
    "aws-cn": "amazonaws.cn",
    "aws-us-gov": "amazonaws-us-gov.com",
}
"""Domain of the console where it is not the suffix of the partition's services (AWS general
reference, "Service endpoints"; user guides of China and GovCloud)."""


@functools.cache
def _read_partitions() -> tuple[tuple[re.Pattern[str], Partition], ...]:
    """Read botocore's own table; its code is not imported."""
    package = find_spec("botocore")
    (folder,) = (package.submodule_search_locations if package else None) or ("",)
    data = json.loads((Path(folder) / "data" / "partitions.json").read_text(encoding="utf-8"))
    return tuple(
        (
            re.compile(one["regionRegex"]),
            Partition(
                name=one["id"],
                dns_suffix=one["outputs"]["dnsSuffix"],
                regions=frozenset(filter(_LISTED.fullmatch, one["regions"])),
            ),
        )
        for one in data["partitions"]
    )
