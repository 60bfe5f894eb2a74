"""Triage: groups of failures, the most urgent first, with what a team decided about them.

Decisions are an append-only log of notes. Nothing is stored that could be derived: status, splits,
merges and silences are read from the set of notes, whatever order they arrived in, so that several
people can write at once and every reader sees the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import numpy as np

from workflow.executions import Failure, Kind, Outcome
from workflow.fingerprints import Fingerprint, fingerprint
from workflow.remedies import Diagnosis, diagnose
from workflow.triage_notes import (
    TriageAction,
    TriageEvent,
    digests_of,
    from_line,
    in_force,
    split_off,
    to_line,
)

__all__ = [
    "EXAMPLES",
    "TREND_BUCKETS",
    "Derived",
    "FailureGroup",
    "GroupStatus",
    "TriageAction",
    "TriageEvent",
    "derive",
    "from_line",
    "group",
    "in_force",
    "split_off",
    "to_line",
]

TREND_BUCKETS: Final = 24
EXAMPLES: Final = 5
_HALF_LIFE: Final = timedelta(hours=6)
_NEW_FOR: Final = timedelta(hours=24)
_FIXED: Final = (Outcome.ACCEPTED, Outcome.UNEXAMINED)


class GroupStatus(StrEnum):
    """Where a group stands; derived at read time, never stored."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    REGRESSED = "regressed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """What the notes of one group say about it now."""

    status: GroupStatus
    resolved_in: str | None = None
    silenced_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Failures that are one problem.

    Attributes:
        fingerprint: Of the group; of a merged group the smallest member.
        members: Every fingerprint in the group, several after a merge.
        count: Executions that still hurt, one each however often it was tried.
        repairing: Of those, how many are running again, by redrive or restart.
        fixed: Executions of this problem that a redrive or restart has repaired.
        first_seen: Of all its failures, repaired or not, and of all their attempts.
        trend: Failures in 24 equal buckets of the window that ends now, oldest first.
        versions: State machine versions touched, ascending.
        images: Images touched, sorted.
        executions: ARNs of the ``count`` executions, newest first.
        sample: The newest failure.
        notes: Its notes, oldest first; of a group that was split off, the split too.
        urgency: Recent failures, each counting half as much every six hours; doubled while the
            problem is new or regressed, halved once somebody has acknowledged it.
    """

    fingerprint: Fingerprint
    members: tuple[Fingerprint, ...]
    diagnosis: Diagnosis
    status: GroupStatus
    count: int
    repairing: int
    fixed: int
    first_seen: datetime
    last_seen: datetime
    trend: tuple[int, ...]
    versions: tuple[str, ...]
    images: tuple[str, ...]
    executions: tuple[str, ...]
    sample: Failure
    notes: tuple[TriageEvent, ...]
    resolved_in: str | None
    silenced_until: datetime | None
    urgency: float

    @property
    def kind(self) -> Kind:
        """What sort of failure it is."""
        return self.diagnosis.kind

    @property
    def examples(self) -> tuple[str, ...]:
        """ARNs of the newest executions."""
        return self.executions[:EXAMPLES]


def group(
    failures: Iterable[Failure],
    log: Iterable[TriageEvent],
    *,
    now: datetime,
    window: timedelta = timedelta(hours=24),
    outcomes: Mapping[str, Outcome] | None = None,
    restarts: Mapping[str, str] | None = None,
) -> tuple[FailureGroup, ...]:
    """Return the inbox: groups that still hurt, the most urgent first.

    What needs nobody comes last: rejections, then what is resolved or silenced.

    Args:
        failures: In any order; several of one execution are its attempts.
        log: Every note, in any order.
        now: Aware.
        window: Length of the trend.
        outcomes: How executions turned out by now, by ARN; an execution without entry stands as
            its failure says.
        restarts: ARN of the execution that restarts another, by the ARN of that other.
    """
    notes = in_force(log)
    places = _Places(notes)
    known = tuple(failures)
    attempts = _keep_latest(known)
    repairs = _Repairs(outcomes or {}, restarts or {})
    drafts: dict[str, _Draft] = defaultdict(_Draft)
    for failure in attempts:
        found = places.find_fingerprint(failure)
        drafts[places.find_root(found.digest)].add_failure(
            found, failure, repairs.find_repair(failure.execution_arn)
        )
    by_root: dict[str, list[TriageEvent]] = defaultdict(list)
    for note in notes:
        # A merge names two groups that are one by now: it is noted once.
        for root in dict.fromkeys(places.find_root(digest) for digest in digests_of(note)):
            by_root[root].append(note)
    first_seen = _first_seen(known, places)
    groups = [
        _build_group(draft, by_root[root], now, window, first_seen[root])
        for root, draft in drafts.items()
        if draft.open
    ]
    return tuple(sorted(groups, key=_sort_key))


def derive(notes: Iterable[TriageEvent], failures: Iterable[Failure], *, now: datetime) -> Derived:
    """Return status, version of the repair and silence of one group.

    A resolved group has regressed when something failed after the note, in the version of the
    repair or a later one: executions of older versions still run out, and redrives keep theirs.

    Args:
        notes: Of this group, in any order, repeated or not.
        failures: Of this group, that still hurt.
        now: Aware.
    """
    status, decided = GroupStatus.NEW, None
    silenced: datetime | None = None
    for note in in_force(notes):
        if note.action is TriageAction.SILENCE:
            silenced = note.until
        if note.action in _STATUS_AFTER:
            status, decided = _STATUS_AFTER[note.action], note
    if silenced and silenced <= now:
        silenced = None
    if decided is None or status is not GroupStatus.RESOLVED:
        return Derived(status=status, silenced_until=silenced)
    if any(_is_regression(failure, decided) for failure in failures):
        status = GroupStatus.REGRESSED
    return Derived(status=status, resolved_in=decided.version, silenced_until=silenced)


_STATUS_AFTER: Final = {
    TriageAction.ACKNOWLEDGE: GroupStatus.ACKNOWLEDGED,
    TriageAction.REOPEN: GroupStatus.ACKNOWLEDGED,
    TriageAction.RESOLVE: GroupStatus.RESOLVED,
}


def _first_seen(failures: Iterable[Failure], places: "_Places") -> dict[str, datetime]:
    """Return when each group failed first, by its root: a later attempt does not move it."""
    first: dict[str, datetime] = {}
    for failure in failures:
        root = places.find_root(places.find_fingerprint(failure).digest)
        first[root] = min(failure.failed_at, first.get(root, failure.failed_at))
    return first


class _Places:
    """Which group a failure belongs to, after splits and merges."""

    def __init__(self, notes: Sequence[TriageEvent]) -> None:
        # Merges first: a split concerns the whole merged group, whichever member it names.
        self._parents: dict[str, str] = {}
        for note in notes:
            if note.into is not None:
                self._merge_groups(note.fingerprint, note.into)
        self._splits: dict[str, list[TriageEvent]] = defaultdict(list)
        for note in notes:
            if note.contains is not None:
                self._splits[self.find_root(note.fingerprint)].append(note)

    def find_fingerprint(self, failure: Failure) -> Fingerprint:
        found = fingerprint(failure)
        for note in self._splits.get(self.find_root(found.digest), ()):
            text = note.contains or ""
            if text in failure.error or text in failure.cause:
                return split_off(note)
        return found

    def find_root(self, digest: str) -> str:
        while digest in self._parents:
            digest = self._parents[digest]
        return digest

    def _merge_groups(self, one: str, other: str) -> None:
        # The smaller digest becomes the root, so the order of the notes does not matter.
        low, high = sorted((self.find_root(one), self.find_root(other)))
        if low != high:
            self._parents[high] = low


class _Repair(StrEnum):
    NONE = "none"
    RUNNING = "running"
    DONE = "done"


class _Repairs:
    """What became of failed executions that were redriven or restarted."""

    def __init__(self, outcomes: Mapping[str, Outcome], restarts: Mapping[str, str]) -> None:
        self._outcomes = outcomes
        self._restarts = restarts

    def find_repair(self, arn: str) -> _Repair:
        latest, seen = arn, {arn}
        # Restarts that somebody recorded in a circle must not loop for ever.
        while (following := self._restarts.get(latest)) and following not in seen:
            seen.add(following)
            latest = following
        outcome = self._outcomes.get(latest)
        # A restart without an outcome is so new that no list has it yet.
        if outcome is None:
            return _Repair.NONE if latest == arn else _Repair.RUNNING
        if outcome is Outcome.RUNNING:
            return _Repair.RUNNING
        # A restart that failed again has a failure of its own: counting both would count twice.
        superseded = latest != arn and outcome is not Outcome.ABORTED
        return _Repair.DONE if outcome in _FIXED or superseded else _Repair.NONE


class _Draft:
    """A group while failures are added."""

    def __init__(self) -> None:
        self.members: dict[str, Fingerprint] = {}
        self.open: list[Failure] = []
        self.repairing = 0
        self.fixed = 0

    def add_failure(self, found: Fingerprint, failure: Failure, repair: _Repair) -> None:
        self.members[found.digest] = found
        if repair is _Repair.DONE:
            self.fixed += 1
            return
        self.open.append(failure)
        self.repairing += repair is _Repair.RUNNING


def _keep_latest(failures: Iterable[Failure]) -> Iterable[Failure]:
    """Keep one failure for each execution, that of its latest attempt."""
    latest: dict[str, Failure] = {}
    for failure in failures:
        known = latest.get(failure.execution_arn)
        if known is None or _attempt_order(failure) > _attempt_order(known):
            latest[failure.execution_arn] = failure
    return latest.values()


def _attempt_order(failure: Failure) -> tuple[int, datetime, str, str]:
    # The state and cause break ties, so that the choice does not depend on the order of reading.
    return failure.attempt, failure.failed_at, failure.state, failure.cause


def _build_group(
    draft: _Draft,
    notes: Sequence[TriageEvent],
    now: datetime,
    window: timedelta,
    first_seen: datetime,
) -> FailureGroup:
    failures = sorted(
        draft.open, key=lambda failure: (failure.failed_at, failure.execution_arn), reverse=True
    )
    derived = derive(notes, failures, now=now)
    members = tuple(draft.members[digest] for digest in sorted(draft.members))
    ages = np.array([(now - failure.failed_at).total_seconds() for failure in failures])
    return FailureGroup(
        fingerprint=members[0],
        members=members,
        diagnosis=diagnose(failures[0]),
        status=derived.status,
        count=len(failures),
        repairing=draft.repairing,
        fixed=draft.fixed,
        first_seen=first_seen,
        last_seen=failures[0].failed_at,
        trend=_count_trend(ages, window),
        versions=tuple(sorted({f.version for f in failures if f.version}, key=_version_order)),
        images=tuple(sorted({failure.image for failure in failures if failure.image})),
        executions=tuple(failure.execution_arn for failure in failures),
        sample=failures[0],
        notes=tuple(notes),
        resolved_in=derived.resolved_in,
        silenced_until=derived.silenced_until,
        urgency=_compute_urgency(ages, now - first_seen, derived.status),
    )


def _count_trend(
    ages: np.ndarray[tuple[int], np.dtype[np.float64]], window: timedelta
) -> tuple[int, ...]:
    seconds = window.total_seconds()
    # Ages are negated so that the oldest bucket comes first.
    counts, _ = np.histogram(-ages, bins=TREND_BUCKETS, range=(-seconds, 0))
    return tuple(int(count) for count in counts)


def _compute_urgency(
    ages: np.ndarray[tuple[int], np.dtype[np.float64]], known_for: timedelta, status: GroupStatus
) -> float:
    # A clock that runs ahead gives a negative age, which must not count more than a failure of now.
    recent = float(np.exp2(-np.maximum(ages, 0) / _HALF_LIFE.total_seconds()).sum())
    if known_for < _NEW_FOR or status is GroupStatus.REGRESSED:
        recent *= 2
    return recent / 2 if status is GroupStatus.ACKNOWLEDGED else recent


def _sort_key(found: FailureGroup) -> tuple[int, float, str]:
    # Resolved and silenced groups come last, rejections before them: neither needs anybody now.
    at_rest = found.status is GroupStatus.RESOLVED or found.silenced_until is not None
    tier = 2 if at_rest else int(found.kind is Kind.REJECTION)
    return tier, -found.urgency, found.fingerprint.digest


def _is_regression(failure: Failure, resolved: TriageEvent) -> bool:
    if failure.failed_at <= resolved.at:
        return False
    # Where either version is unknown, only the times tell.
    if resolved.version is None or failure.version is None:
        return True
    return _version_order(failure.version) >= _version_order(resolved.version)


def _version_order(version: str) -> tuple[int, str]:
    # By number: as text, version 10 would come before version 9.
    return (int(version), "") if version.isdecimal() else (0, version)
