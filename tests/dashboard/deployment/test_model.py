"""What the Deployment page shows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dashboard.deployment.model import (
    PlanStep,
    check_view,
    deployment_facts,
    plan_view,
    run_view,
    versions_table,
)
from workflow.errors import WorkflowError

IN_UTC, IN_BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
OPS = ("CREATE", "UPDATE", "REPLACE", "DELETE", "KEEP", "BLOCKED")


def action(op: str, name: str = "scones-filter", **fields: object) -> dict[str, object]:
    return {
        "op": op,
        "resource": f"lambda.function/{name}",
        "kind": "Lambda function",
        "name": name,
        "reason": "So it is.",
        "remedy": "",
        "diffs": [],
        **fields,
    }


def plan(*actions: dict[str, object], retained: Sequence[str] = ()) -> dict[str, object]:
    counts = {op: sum(one["op"] == op for one in actions) for op in OPS}
    return {
        "counts": counts,
        "actions": list(actions),
        "retained": list(retained),
        "kept": "",
        "price": None,
    }


def test_a_first_plan_is_fresh_and_needs_no_details() -> None:
    view = plan_view(plan(action("CREATE", "a"), action("CREATE", "b")))

    assert view.summary == "2 resources: 2 to create."
    assert (view.fresh, view.settled, view.blocked, view.changes) == (True, False, False, ())
    assert list(view.rows["Name"]) == ["a", "b"]


def test_a_plan_that_only_keeps_is_settled() -> None:
    view = plan_view(plan(action("KEEP", "a"), action("KEEP", "b")))

    assert view.summary == "Everything is up to date: 2 resources, nothing to do."
    assert (view.fresh, view.settled) == (False, True)


def test_a_plan_shifts_executions_where_it_changes_an_alias() -> None:
    alias = action("UPDATE", resource="states.alias/scones/live")

    assert plan_view(plan(alias)).shifts
    assert not plan_view(plan({**alias, "op": "CREATE"}, action("UPDATE"))).shifts


def test_what_is_retained_is_a_sentence_and_no_row() -> None:
    keys = ("sagemaker.endpoint-config/c", "sagemaker.endpoint-config/d", "sagemaker.model/m")

    view = plan_view(plan(action("KEEP", "a"), retained=keys))

    assert "retained, with their models: 2." in view.retained
    assert (len(view.rows), view.settled) == (1, True)
    assert plan_view(plan(action("KEEP", "a"))).retained == ""


def test_a_change_shows_its_properties_before_and_after() -> None:
    diffs = [
        {"path": "environment.SCONES_THRESHOLD", "before": "0.93", "after": "0.9"},
        {"path": "layers", "before": None, "after": ["x" * 500]},
    ]

    view = plan_view(plan(action("KEEP", "kept"), action("UPDATE", diffs=diffs)))

    (change,) = view.changes
    assert change.title == "~ change Lambda function scones-filter"
    assert list(change.diffs.iloc[0]) == ["environment.SCONES_THRESHOLD", "0.93", "0.9"]
    assert change.diffs.iloc[1]["Before"] == "—"
    assert change.diffs.iloc[1]["After"].endswith("…")
    assert list(view.rows["Name"]) == ["scones-filter", "kept"], "what is kept comes last"


def test_what_is_blocked_says_what_to_do() -> None:
    view = plan_view(plan(action("BLOCKED", reason="It is another's.", remedy="Rename it.")))

    assert view.blocked
    assert view.changes[0].reason == "It is another's. Rename it."
    assert "1 blocked" in view.summary


BUCKET, ROLE = "s3.bucket/photos", "iam.role/filter"
BEGAN = datetime(2026, 11, 23, 12, 3, tzinfo=UTC)
BEGUN = PlanStep(BUCKET, kind="S3 bucket", total=2)


def test_a_run_that_has_said_nothing_yet_looks_around() -> None:
    view = run_view([], running=True, title="Deploy", at=BEGAN, zone=IN_UTC)

    assert (view.share, view.says, view.error) == (0.0, "Deploy: reading what is deployed", None)
    assert view.rows.empty


def test_a_run_says_what_it_does_now_and_how_far_it_is() -> None:
    steps = [
        BEGUN,
        PlanStep(BUCKET, done="CREATE"),
        PlanStep(ROLE, kind="IAM role", total=2),
        PlanStep(ROLE, message="Creating the role"),
    ]

    view = run_view(steps, running=True, title="Deploy", at=BEGAN, zone=IN_UTC)

    assert (view.share, view.done) == (0.5, 1)
    assert view.says == "IAM role filter: Creating the role"
    assert view.rows.to_numpy().tolist() == [
        ["IAM role", "filter", "Creating the role"],
        ["S3 bucket", "photos", "✓ created"],
    ]


def test_a_run_that_is_done_says_so() -> None:
    steps = [
        BEGUN,
        PlanStep(BUCKET, done="KEEP"),
        PlanStep(ROLE, total=2),
        PlanStep(ROLE, done="UPDATE"),
    ]

    view = run_view(steps, running=False, title="Deploy", at=BEGAN, zone=IN_UTC)

    assert view.says == "Deploy of 12:03:00 UTC left 2 of 2 resources up to date."
    assert list(view.rows["Progress"]) == ["✓ changed", "✓ up to date"]
    local = run_view(steps, running=False, title="Deploy", at=BEGAN, zone=IN_BERLIN)
    assert local.says.startswith("Deploy of 13:03:00 (12:03 UTC) left")


def test_a_run_that_failed_keeps_its_error() -> None:
    error = WorkflowError("AccessDenied", "It may not.", "Allow it.")

    view = run_view(
        [BEGUN, PlanStep(BUCKET, error=error)], running=False, title="Deploy", at=BEGAN, zone=IN_UTC
    )

    assert view.error is error
    assert list(view.rows["Progress"]) == ["✗ failed"]


OUTPUTS: dict[str, Any] = {
    "bucket": "photos",
    "alias_arn": None,
    "endpoint": "scones",
    "endpoint_status": "InService",
    "queue_url": None,
    "versions": [{"number": 2, "created": "2026-11-23T12:00:00+00:00", "weight": 100, "arn": "x"}],
    "links": {},
}


def test_outputs_leave_out_what_is_not_there() -> None:
    assert deployment_facts(OUTPUTS) == {"Bucket": "photos", "Endpoint": "scones (InService)"}
    assert deployment_facts({**OUTPUTS, "endpoint_status": None, "bucket": None}) == {}


def test_outputs_name_the_alias_and_the_queue() -> None:
    there = {**OUTPUTS, "bucket": None, "endpoint_status": None}
    assert deployment_facts({**there, "alias_arn": "arn:alias", "queue_url": "https://queue"}) == {
        "State machine alias": "arn:alias",
        "Queue of status changes": "https://queue",
    }


def test_versions_show_their_share_of_new_executions() -> None:
    assert versions_table(OUTPUTS, IN_UTC).to_numpy().tolist() == [
        [2, "2026-11-23 12:00:00", "100 %"]
    ]
    assert versions_table({**OUTPUTS, "versions": []}, IN_UTC).empty
    (row,) = versions_table(OUTPUTS, IN_BERLIN).to_dict("records")
    assert row["Published (Europe/Berlin)"] == "2026-11-23 13:00:00"


def test_checks_are_counted_and_each_is_told_with_its_remedy() -> None:
    def finding(level: str, remedy: str = "") -> dict[str, str]:
        return {"level": level, "topic": "quota", "says": "It is so.", "remedy": remedy}

    view = check_view([finding("PROBLEM", "Ask."), finding("UNKNOWN", "Look."), finding("OK")])

    assert view.summary == "Checks: 1 blocking, 1 could not be looked up."
    assert view.lines[0] == ("✗ quota: It is so.", "Ask.")
    assert view.lines[-1] == ("✓ quota: It is so.", "")
    assert (view.problem, view.calm) == (True, False)
    assert check_view([finding("OK")]).calm


def test_a_plan_says_what_it_costs() -> None:
    priced = {**plan(action("CREATE", "a")), "price": {"monthly_usd": 1.0, "says": "1 USD."}}

    assert plan_view(priced).price == "1 USD."
    assert plan_view(plan(action("CREATE", "a"))).price == ""
