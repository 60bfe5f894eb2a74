"""Monitoring: what is known of an endpoint's data capture, versions and Model Monitor schedules."""

from dataclasses import dataclass
from datetime import datetime

from workflow.feature_statistics import ConstraintViolation
from workflow.spans import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureState:
    """What an endpoint says of its own data capture.

    Attributes:
        enabled: Whether it is switched on and started.
        sampling_percentage: Share of the invocations that it keeps, 0 to 100.
        disk_percent: Highest disk utilization lately, 0 to 100; None where unknown.
        variants: Names of its production variants.
        configuration: Name of the configuration that says so.
    """

    enabled: bool
    sampling_percentage: float
    disk_percent: float | None = None
    variants: tuple[str, ...] = ()
    configuration: str = ""

    @property
    def share(self) -> float:
        """Share of the invocations that is captured, 0 to 100: none where it is switched off."""
        return self.sampling_percentage if self.enabled else 0.0


@dataclass(frozen=True, slots=True)
class CapturePlace:
    """Where captures lie.

    Attributes:
        bucket: Their bucket.
        prefix: Before ``/endpoint/variant/yyyy/mm/dd/hh``, without slashes at its ends; may be
            empty.
        endpoint: Whose captures are meant; empty for those of all endpoints there.
        notes: What is to be known of them, a sentence each.
    """

    bucket: str
    prefix: str
    endpoint: str = ""
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The prefix of the captures that are meant, without its final slash."""
        return "/".join(part for part in (self.prefix, self.endpoint) if part)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.folder}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A monitoring schedule of Model Monitor.

    Attributes:
        name: Its name.
        kind: Such as ``DataQuality``.
        status: Such as ``Scheduled``.
        last_run: When its last execution was scheduled; None before the first.
        last_status: How it ended, such as ``CompletedWithViolations``; empty before the first.
        violations: What it found; empty where it found nothing or wrote no report.
        problems: Why it failed, and what of it could not be read, a sentence each.
    """

    name: str
    kind: str
    status: str
    last_run: datetime | None
    last_status: str
    violations: tuple[ConstraintViolation, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeployedVersion:
    """Something that was deployed at a moment: before and after it, inferences may differ.

    Attributes:
        name: What, in words.
        made: When it was published or created: the same, whatever is deployed after it.
        span: The time in which it served, as far as that is known; its end is the moment at which
            the next one of its kind took its place, None while there is none.
        unknown: What of this time AWS does not tell, as a sentence.
    """

    name: str
    made: datetime
    span: Span
    unknown: str = ""

    @property
    def at(self) -> datetime:
        """From when it may have served."""
        return self.span.start or self.made
