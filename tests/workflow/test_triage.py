"""Triage: groups by what hurts now, and status as a function of the notes in any order."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflow.histories import START, failure, lambda_cause
from workflow.errors import WorkflowError
from workflow.executions import Failure, Kind, Outcome
from workflow.fingerprints import fingerprint
from workflow.triage import FailureGroup, GroupStatus, derive, group
from workflow.triage_notes import TriageAction, TriageEvent, from_line, in_force, to_line

NOW = START + timedelta(hours=24)
DIGEST = fingerprint(failure()).digest


def note(
    action: TriageAction = TriageAction.ACKNOWLEDGE, *, hours: float = 1, **changes: Any
) -> TriageEvent:
    known: dict[str, Any] = {
        "id": f"{action}-{hours}",
        "at": START + timedelta(hours=hours),
        "author": "ada",
        "fingerprint": DIGEST,
        "action": action,
    }
    return TriageEvent(**(known | changes))


def failing(arn: str, *, hours: float = 0, **changes: Any) -> Failure:
    at = START + timedelta(hours=hours)
    return failure(**({"execution_arn": arn, "failed_at": at} | changes))


def only(groups: tuple[FailureGroup, ...]) -> FailureGroup:
    (found,) = groups
    return found


def status(*notes: TriageEvent, failures: tuple[Failure, ...] = ()) -> GroupStatus:
    return derive(notes, failures or (failing("a"),), now=NOW).status


def test_failures_of_one_problem_are_one_group() -> None:
    found = only(
        group(
            [
                failing("a", hours=1, version="10", image="s3://b/2"),
                failing("b", hours=3, version="9", image="s3://b/1"),
                failing("c", hours=2),
            ],
            [],
            now=NOW,
        )
    )

    assert (found.count, found.kind, found.status) == (3, Kind.CODE, GroupStatus.NEW)
    assert found.executions == found.examples == ("b", "c", "a")
    assert (found.versions, found.images) == (("9", "10"), ("s3://b/1", "s3://b/2"))
    assert (found.first_seen, found.last_seen) == (
        START + timedelta(hours=1),
        START + timedelta(hours=3),
    )
    assert found.sample.execution_arn == "b"
    assert found.fingerprint.digest == DIGEST


def test_the_trend_counts_failures_by_time() -> None:
    found = only(
        group(
            [failing("a", hours=0.5), failing("b", hours=23.5), failing("old", hours=-5)],
            [],
            now=NOW,
        )
    )

    assert (found.trend[0], found.trend[-1], sum(found.trend), len(found.trend)) == (1, 1, 2, 24)
    assert found.count == 3


def test_different_problems_are_different_groups() -> None:
    groups = group([failing("a"), failing("b", error="IndexError", cause="no")], [], now=NOW)

    assert [found.count for found in groups] == [1, 1]


def test_one_execution_counts_once_with_its_latest_attempt() -> None:
    first = failing("a", error="Throttled", cause="no")
    again = failing("a", hours=1, attempt=1)

    for attempts in ([first, again], [again, first]):
        found = only(group(attempts, [], now=NOW))
        assert (found.count, found.fingerprint.digest) == (1, DIGEST)


def test_what_hurts_more_now_comes_first() -> None:
    many_long_ago = [failing(f"old{n}", hours=-72, error="Old", cause="o") for n in range(20)]
    some_now = [failing(f"new{n}", hours=23, error="New", cause="n") for n in range(3)]

    first, second = group([*many_long_ago, *some_now], [], now=NOW)

    assert (first.sample.error, second.sample.error) == ("New", "Old")
    assert first.urgency > second.urgency


def test_rejections_come_after_faults_however_many_they_are() -> None:
    rejected = [
        failing(f"r{n}", hours=23, error="THRESHOLD_CONFIDENCE_NOT_MET", cause="low")
        for n in range(50)
    ]

    groups = group([*rejected, failing("fault")], [], now=NOW)

    assert [found.kind for found in groups] == [Kind.CODE, Kind.REJECTION]


def test_what_is_resolved_or_silenced_comes_last() -> None:
    silence = note(TriageAction.SILENCE, until=NOW + timedelta(hours=1))
    rejected = failing("r", error="THRESHOLD_CONFIDENCE_NOT_MET", cause="low")

    first, last = group([failing("a"), rejected], [silence], now=NOW)

    assert (first.kind, last.silenced_until) == (Kind.REJECTION, NOW + timedelta(hours=1))


def test_what_is_known_counts_less_than_what_is_new() -> None:
    new = only(group([failing("a")], [], now=NOW))
    known = only(group([failing("a")], [note()], now=NOW))

    assert known.status is GroupStatus.ACKNOWLEDGED
    assert known.urgency < new.urgency
    assert known.notes == (note(),)


def test_a_success_after_a_redrive_leaves_the_inbox() -> None:
    failures = [failing("a"), failing("b"), failing("c"), failing("d")]
    outcomes = {"a": Outcome.ACCEPTED, "b": Outcome.RUNNING, "c": Outcome.UNEXAMINED}

    found = only(group(failures, [], now=NOW, outcomes=outcomes))

    assert (found.count, found.repairing, found.fixed) == (2, 1, 2)
    assert set(found.executions) == {"b", "d"}


def test_a_group_that_is_all_fixed_is_gone() -> None:
    assert group([failing("a")], [], now=NOW, outcomes={"a": Outcome.ACCEPTED}) == ()


@pytest.mark.parametrize(
    ("outcome", "counts", "repairing"),
    [
        (None, 1, 1),
        (Outcome.RUNNING, 1, 1),
        (Outcome.ACCEPTED, 0, 0),
        (Outcome.UNEXAMINED, 0, 0),
        (Outcome.FAULTED, 0, 0),
        (Outcome.REJECTED, 0, 0),
        (Outcome.SILENT, 0, 0),
        (Outcome.ABORTED, 1, 0),
    ],
)
def test_a_restart_takes_the_place_of_what_it_restarts(
    outcome: Outcome | None, counts: int, repairing: int
) -> None:
    outcomes = {"old": Outcome.FAULTED} | ({"new": outcome} if outcome else {})

    groups = group(
        [failing("old"), failing("other")],
        [],
        now=NOW,
        outcomes=outcomes,
        restarts={"old": "middle", "middle": "new"},
    )

    found = only(groups)
    assert (found.count, found.repairing) == (1 + counts, repairing)


def test_restarts_that_point_at_each_other_end() -> None:
    found = only(group([failing("a")], [], now=NOW, restarts={"a": "b", "b": "a"}))

    assert found.count == 1


def test_first_seen_remembers_what_was_fixed() -> None:
    failures = [failing("a", hours=-90), failing("b", hours=3)]

    found = only(group(failures, [], now=NOW, outcomes={"a": Outcome.ACCEPTED}))

    assert found.first_seen == START - timedelta(hours=90)


def test_first_seen_does_not_move_when_a_redrive_fails_again() -> None:
    found = only(group([failing("a", hours=-48), failing("a", hours=-1, attempt=1)], [], now=NOW))

    assert found.first_seen == START - timedelta(hours=48)
    assert found.count == 1


def test_a_split_is_among_the_notes_of_both_sides() -> None:
    ours, theirs = lambda_cause("'k' in s3://bucket-a/x"), lambda_cause("'k' in s3://bucket-b/x")
    failures = [failing("a", cause=ours), failing("b", cause=theirs)]
    digest = fingerprint(failures[0]).digest
    split = note(TriageAction.SPLIT, contains="bucket-b", fingerprint=digest)

    groups = group(failures, [split], now=NOW)

    assert len(groups) == 2
    assert all(found.notes == (split,) for found in groups)
    assert (
        len(group(failures, [split, note(TriageAction.UNDO, hours=2, undoes=split.id)], now=NOW))
        == 1
    )


def test_what_is_new_or_back_counts_twice_and_what_somebody_looks_at_half() -> None:
    old = [failing(f"old{n}", hours=-200) for n in range(3)]
    now = failing("now", hours=24)
    resolve = note(TriageAction.RESOLVE, hours=2)

    known = only(group([*old, now], [], now=NOW))
    back = only(group([*old, now], [resolve], now=NOW))
    looked_at = only(group([*old, now], [note()], now=NOW))
    new = only(group([now], [], now=NOW))

    assert (known.status, back.status) == (GroupStatus.NEW, GroupStatus.REGRESSED)
    assert known.urgency == pytest.approx(1)
    assert (back.urgency, new.urgency, looked_at.urgency) == pytest.approx((2, 2, 0.5))


def test_urgency_is_halved_every_six_hours() -> None:
    ages = [failing("now", hours=24), failing("before", hours=18), failing("old", hours=-200)]

    assert only(group(ages, [], now=NOW)).urgency == pytest.approx(1.5)


def test_a_group_starts_new_and_is_then_what_was_noted_last() -> None:
    resolve = note(TriageAction.RESOLVE, hours=3)

    assert status() is GroupStatus.NEW
    assert status(note()) is GroupStatus.ACKNOWLEDGED
    assert status(note(), resolve) is GroupStatus.RESOLVED
    assert status(resolve, note(TriageAction.REOPEN, hours=4)) is GroupStatus.ACKNOWLEDGED
    assert status(note(TriageAction.COMMENT, text="hm")) is GroupStatus.NEW


@pytest.mark.parametrize(
    ("hours", "version", "resolved_in", "expected"),
    [
        (3, "4", "5", GroupStatus.RESOLVED),
        (3, "5", "5", GroupStatus.REGRESSED),
        (3, "10", "5", GroupStatus.REGRESSED),
        (3, "5", None, GroupStatus.REGRESSED),
        (3, None, "5", GroupStatus.REGRESSED),
        (1, "10", "5", GroupStatus.RESOLVED),
    ],
)
def test_a_resolved_group_regresses_by_a_later_failure_of_a_repaired_version(
    hours: float, version: str | None, resolved_in: str | None, expected: GroupStatus
) -> None:
    resolve = note(TriageAction.RESOLVE, hours=2, version=resolved_in)

    found = derive([resolve], [failing("a", hours=hours, version=version)], now=NOW)

    assert (found.status, found.resolved_in) == (expected, resolved_in)


def test_what_was_acknowledged_after_it_regressed_is_acknowledged() -> None:
    later = failing("a", hours=5)

    assert (
        status(note(TriageAction.RESOLVE, hours=2), note(hours=6), failures=(later,))
        is GroupStatus.ACKNOWLEDGED
    )


def test_a_silence_ends_by_itself_and_the_last_one_counts() -> None:
    long = note(TriageAction.SILENCE, hours=1, until=NOW + timedelta(hours=9))
    short = note(TriageAction.SILENCE, hours=2, until=NOW)

    assert derive([long], [], now=NOW).silenced_until == NOW + timedelta(hours=9)
    assert derive([long, short], [], now=NOW).silenced_until is None


def test_a_note_taken_back_never_was() -> None:
    resolve = note(TriageAction.RESOLVE, hours=3)
    undo = note(TriageAction.UNDO, hours=4, undoes=resolve.id)

    assert status(note(), resolve, undo) is GroupStatus.ACKNOWLEDGED
    assert in_force([resolve, undo]) == ()


OTHER = failing("z", error="IndexError", cause="no")
OTHER_DIGEST = fingerprint(OTHER).digest


def test_merged_groups_stay_one_and_share_their_notes() -> None:
    merge = note(TriageAction.MERGE, into=OTHER_DIGEST)
    later = failing("y", hours=5)

    found = only(group([failing("a"), OTHER, later], [merge, note(hours=2)], now=NOW))

    assert found.count == 3
    assert {member.digest for member in found.members} == {DIGEST, OTHER_DIGEST}
    assert found.fingerprint.digest == min(DIGEST, OTHER_DIGEST)
    assert found.status is GroupStatus.ACKNOWLEDGED


def test_merging_in_a_circle_is_one_group() -> None:
    notes = [
        note(TriageAction.MERGE, hours=1, into=OTHER_DIGEST),
        note(TriageAction.MERGE, hours=2, fingerprint=OTHER_DIGEST, into=DIGEST),
        note(TriageAction.MERGE, hours=3, into="third"),
    ]

    assert only(group([failing("a"), OTHER], notes, now=NOW)).count == 2


def test_a_split_lasts_for_failures_that_come_later() -> None:
    split = note(TriageAction.SPLIT, contains="bucket-b")
    acknowledge = note(hours=2)
    ours, theirs = lambda_cause("'k' in s3://bucket-a/x"), lambda_cause("'k' in s3://bucket-b/x")
    digest = fingerprint(failure(cause=ours)).digest
    notes = [replace(split, fingerprint=digest), replace(acknowledge, fingerprint=digest)]
    failures = [
        failing("a", cause=ours),
        failing("b", cause=theirs),
        failing("c", hours=9, cause=theirs),
    ]

    assert only(group(failures, [], now=NOW)).count == 3
    parent, child = sorted(group(failures, notes, now=NOW), key=lambda found: found.count)

    assert (parent.count, child.count) == (1, 2)
    assert (parent.status, child.status) == (GroupStatus.ACKNOWLEDGED, GroupStatus.NEW)
    assert ("contains", "bucket-b") in child.fingerprint.parts


@pytest.mark.parametrize(
    "changes",
    [
        {"action": TriageAction.SILENCE},
        {"action": TriageAction.SPLIT},
        {"action": TriageAction.SPLIT, "contains": ""},
        {"action": TriageAction.MERGE},
        {"action": TriageAction.UNDO},
        {"action": TriageAction.COMMENT},
        {"at": datetime(2026, 1, 1)},  # noqa: DTZ001 - the point of the case
        {"action": TriageAction.SILENCE, "until": datetime(2026, 1, 1)},  # noqa: DTZ001 - see above
    ],
)
def test_a_note_that_lacks_what_its_action_needs_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(WorkflowError) as caught:
        note(**changes)

    assert caught.value.code == "TriageEventInvalid"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{}",
        "[1]",
        '{"id": 1}',
        to_line(note()).replace(b"acknowledge", b"applaud"),
        b"\xff",
        to_line(note()).replace(b'"', b'"\x9c', 1),
    ],
)
def test_a_line_that_is_no_note_is_refused(line: str | bytes) -> None:
    with pytest.raises(WorkflowError) as caught:
        from_line(line)

    assert caught.value.code == "TriageEventInvalid"


def test_fields_of_younger_programs_are_passed_over() -> None:
    line = to_line(note()).replace(b"{", b'{"mood": "good", ', 1)

    assert from_line(line) == note()


notes_of_any_kind = (
    st.builds(
        TriageEvent,
        id=st.sampled_from("abcdefgh"),
        at=st.integers(0, 5).map(lambda hours: START + timedelta(hours=hours)),
        author=st.sampled_from(["ada", "grace"]),
        fingerprint=st.sampled_from([DIGEST, OTHER_DIGEST, "third"]),
        action=st.sampled_from(TriageAction),
        text=st.text(min_size=1),
        version=st.none() | st.sampled_from(["1", "2", "beta"]),
        until=st.integers(0, 48).map(lambda hours: START + timedelta(hours=hours)),
        into=st.sampled_from([DIGEST, OTHER_DIGEST, "third"]),
        contains=st.sampled_from(["inferences", "no"]),
        undoes=st.sampled_from("abcdefgh"),
    )
    .map(lambda one: one if one.action is TriageAction.SPLIT else replace(one, contains=None))
    .map(lambda one: one if one.action is TriageAction.MERGE else replace(one, into=None))
)


@given(notes_of_any_kind)
def test_a_note_survives_being_written(one: TriageEvent) -> None:
    line = to_line(one)

    assert b"\n" not in line
    assert from_line(line) == one


@given(log=st.lists(notes_of_any_kind, max_size=12), seed=st.randoms(use_true_random=False))
def test_the_inbox_is_a_function_of_the_log_in_any_order_of_arrival(
    log: list[TriageEvent], seed: random.Random
) -> None:
    failures = [
        failing("a", version="1"),
        failing("b", hours=3, version="2"),
        failing("c", hours=4),
        OTHER,
    ]
    arrived = [*log, *seed.choices(log, k=3)] if log else []
    seed.shuffle(arrived)
    seed.shuffle(failures)

    assert group(failures, arrived, now=NOW) == group(sorted(failures, key=repr), log, now=NOW)


@given(log=st.lists(notes_of_any_kind, max_size=12))
def test_no_note_loses_or_doubles_a_failure(log: list[TriageEvent]) -> None:
    groups = group([failing("a"), failing("b"), OTHER], log, now=NOW)

    assert sorted(arn for found in groups for arn in found.executions) == ["a", "b", "z"]
    assert len({found.fingerprint.digest for found in groups}) == len(groups)
