"""The inbox as it is shown: order, badges, filters, dry run."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboard.failures import model
from tests.dashboard.executions.test_model import listing, ran
from workflow.executions import Failure, Kind, Outcome, Status
from workflow.fingerprints import fingerprint
from workflow.redrive import RedriveAction
from workflow.triage import FailureGroup, group
from workflow.triage_notes import TriageAction, TriageEvent

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def failed(name: str, minutes_ago: float = 5, **fields: Any) -> Failure:
    known: dict[str, Any] = {
        "execution_arn": f"arn:{name}",
        "state": "Classify",
        "error": "ThrottlingException",
        "cause": "Rate exceeded",
        "failed_at": NOW - timedelta(minutes=minutes_ago),
        "version": "1",
        "image": f"s3://b/{name}.png",
    }
    return Failure(**known | fields)


def note(action: TriageAction, failure: Failure, **said: Any) -> TriageEvent:
    return TriageEvent(
        id=f"{action}",
        at=NOW - timedelta(minutes=1),
        author="ada",
        fingerprint=fingerprint(failure).digest,
        action=action,
        **said,
    )


def groups(*found: Failure, notes: tuple[TriageEvent, ...] = ()) -> tuple[FailureGroup, ...]:
    return group(found, notes, now=NOW)


BUG: dict[str, Any] = {"error": "KeyError", "cause": "'s3_key'"}
REJECTED: dict[str, Any] = {"error": "Exception", "cause": "THRESHOLD_CONFIDENCE_NOT_MET"}


def test_a_card_says_how_many_how_long_and_what_is_touched() -> None:
    (found,) = groups(failed("a"), failed("b", 120))
    card = model.build_card(found, now=NOW, zone=ZoneInfo("UTC"))
    assert card.title == "ThrottlingException in Classify"
    assert card.facts == (
        "**2 executions** · last 5 min ago · first 2 h ago · version 1 · 2 images"
    )
    assert "new" in card.badges
    assert "throttling" in card.badges


def test_a_rejection_is_named_as_one() -> None:
    (found,) = groups(failed("a", **REJECTED))
    assert model.group_title(found) == "Confidence below the threshold"
    assert (
        ":orange-badge[:material/fiber_new: new]"
        in model.build_card(found, now=NOW, zone=ZoneInfo("UTC")).badges
    )


def test_open_hides_what_is_resolved_or_silenced_and_all_shows_it() -> None:
    bug, slow = failed("a", **BUG), failed("b")
    notes = (
        note(TriageAction.RESOLVE, bug, version="2"),
        note(TriageAction.SILENCE, slow, until=NOW + timedelta(hours=1)),
    )
    found = groups(bug, slow, notes=notes)
    assert model.build_cards(found, model.FailureFilters(), now=NOW, zone=ZoneInfo("UTC")) == ()
    shown = model.build_cards(
        found, model.FailureFilters(show="all"), now=NOW, zone=ZoneInfo("UTC")
    )
    badges = " ".join(card.badges for card in shown)
    assert "resolved in version 2" in badges
    assert "silent until 2026-11-23 13:00 UTC" in badges
    assert model.count_totals(found) == {"resolved": 1, "silenced": 1, "executions": 2}


def test_a_kind_narrows_the_inbox() -> None:
    found = groups(failed("a", **BUG), failed("b"))
    filters = model.FailureFilters(kind=(Kind.CODE,))
    assert [
        card.group.kind for card in model.build_cards(found, filters, now=NOW, zone=ZoneInfo("UTC"))
    ] == [Kind.CODE]


def test_a_merged_group_is_found_by_any_of_its_digests() -> None:
    bug, slow = failed("a", **BUG), failed("b")
    merge = note(TriageAction.MERGE, bug, into=fingerprint(slow).digest)
    found = groups(bug, slow, notes=(merge,))
    assert len(found) == 1
    for failure in (bug, slow):
        assert model.find_group(found, fingerprint(failure).digest) is found[0]
    assert model.find_group(found, "nothing") is None
    assert model.explain_grouping(found[0]).startswith("Merged of 2 fingerprints.")


def test_a_group_that_was_split_off_whole_is_found_by_the_digest_it_had() -> None:
    bug = failed("a", **BUG)
    split = note(TriageAction.SPLIT, bug, contains="s3_key")
    (found,) = groups(bug, notes=(split,))

    assert found.fingerprint.digest != fingerprint(bug).digest
    assert model.find_group((found,), fingerprint(bug).digest) is found
    assert found.notes == (split,)


def test_a_group_that_was_split_in_part_keeps_its_digest() -> None:
    bugs = (
        failed("a", **BUG),
        *(failed(one, error="KeyError", cause="'s3_key' of b") for one in "bc"),
    )
    digest = fingerprint(bugs[0]).digest
    split = note(TriageAction.SPLIT, bugs[0], contains="of b")
    found = groups(*bugs, notes=(split,))

    kept = model.find_group(found, digest)
    assert kept is not None
    assert kept.fingerprint.digest == digest


def test_a_problem_that_was_repaired_is_told_from_one_that_nobody_knows() -> None:
    bug = failed("a", **BUG)

    assert model.is_known([bug], fingerprint(bug).digest)
    assert not model.is_known([bug], "nothing")


def dry(*failures: Failure, version: str | None, executions: tuple[Any, ...]) -> model.DryRun:
    (found,) = groups(*failures)
    return model.dry_run(
        found,
        listing(*executions),
        {one.execution_arn: one for one in failures},
        now=NOW,
        current_version=version,
        state_types={"Classify": "Task"},
    )


def test_the_dry_run_advises_each_execution_and_the_group() -> None:
    executions = tuple(ran(name, status=Status.FAILED) for name in "ab")
    run = dry(failed("a"), failed("b"), version="1", executions=executions)
    assert run.advice is not None
    assert run.advice.action is RedriveAction.REDRIVE
    assert run.counts == {RedriveAction.REDRIVE: 2}
    assert list(run.table["Execution"]) == ["a", "b"]


def test_a_bug_that_is_still_deployed_is_left_until_its_repair() -> None:
    executions = (ran("a", status=Status.FAILED),)
    same = dry(failed("a", **BUG), version="1", executions=executions)
    repaired = dry(failed("a", **BUG), version="2", executions=executions)
    assert set(same.actions.values()) == {RedriveAction.NEITHER}
    assert set(repaired.actions.values()) == {RedriveAction.RESTART}


def test_the_table_shows_what_was_chosen_not_what_was_advised() -> None:
    run = dry(failed("a"), version="1", executions=(ran("a", status=Status.FAILED),))
    chosen = model.override_actions(run.actions, "restart")
    assert list(model.planned_table(run, chosen)["Action"]) == ["restart"]
    assert list(run.table["Action"]) == ["redrive"]


def test_executions_that_are_no_longer_listed_are_left_out() -> None:
    run = dry(failed("a"), version="1", executions=())
    assert run.advice is None
    assert run.table.empty


@pytest.mark.parametrize("choice", ["redrive", "restart"])
def test_the_users_choice_overrides_the_adviser(choice: str) -> None:
    actions = {"a": RedriveAction.NEITHER, "b": RedriveAction.REDRIVE}
    assert model.override_actions(actions, "advised") == actions
    assert set(model.override_actions(actions, choice).values()) == {RedriveAction(choice)}


def test_repairs_are_followed_to_their_end() -> None:
    table = model.repair_table(
        [("arn:x:one", "redriven", ""), ("arn:x:two", "refused", "no")],
        {"arn:x:one": Outcome.ACCEPTED},
    )
    assert table["Outcome now"].tolist() == ["accepted", "not listed yet"]
    assert table["Execution"].tolist() == ["one", "two"]


def test_every_kind_and_status_has_a_look() -> None:
    assert set(model.KIND_ICONS) == set(Kind)
