"""A workflow of which every name, id, key, cause and author is a payload, in store and bucket."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from dashboard.alerts.outbox import ALERTS_PREFIX, OUTBOX_PREFIX
from dashboard.aws.cloud import Connection
from dashboard.aws.error_tables import ERRORS
from dashboard.aws.ground_truth import GROUND_TRUTH_PREFIX
from dashboard.captures import tables as capture_tables
from dashboard.executions import tables as execution_tables
from dashboard.failures.notes import NOTES_PREFIX
from dashboard.review.client import DRAWS_PREFIX
from dashboard.shared.store import SegmentStore
from dashboard.shared.store_root import store_root
from dashboard.shared.workflow_registry import WorkflowRegistry
from tests.captured import captured
from tests.dashboard.hostile.elements import PAYLOAD, SHORT
from workflow.access import Privilege
from workflow.audit import PREFIX as AUDIT_PREFIX
from workflow.audit import AuditRow, Phase, encode, key_of
from workflow.executions import Outcome
from workflow.watched import WatchedWorkflow


def poison(connection: Connection, environ: dict[str, str]) -> None:
    """Fill the store and the bucket of a deployed workflow."""
    _executions(connection, environ)
    _captures(connection, environ)
    _objects(connection)


def _executions(connection: Connection, environ: dict[str, str]) -> None:
    now = datetime.now(UTC)
    prefix = connection.settings.state_machine_arn.replace(":stateMachine:", ":execution:")
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in execution_tables.TABLES}
    for number, (status, outcome) in enumerate(
        [
            ("FAILED", Outcome.FAULTED),
            ("FAILED", Outcome.REJECTED),
            ("SUCCEEDED", Outcome.ACCEPTED),
        ]
    ):
        arn, begin = f"{prefix}:{number}{PAYLOAD}", now - timedelta(minutes=9 + number)
        both = {"arn": arn, "redrive_count": 0, "status": status, "observed_at": now}
        times = {"started_at": begin, "stopped_at": begin + timedelta(seconds=9)}
        rows["executions"].append({**both, **times, "name": f"{number}{PAYLOAD}", "version": "1"})
        said = {"error": PAYLOAD, "cause": PAYLOAD} if status == "FAILED" else {"output": PAYLOAD}
        rows["execution_details"].append(
            {
                **both,
                **said,
                "source": "describe",
                "outcome": outcome.value,
                "input": json.dumps({"s3_bucket": "b", "s3_key": PAYLOAD}),
                "image": f"s3://b/{PAYLOAD}",
                "label": PAYLOAD,
                "confidence": 0.7,
            }
        )
        rows["histories"].append(
            {"arn": arn, "redrive_count": 0, "problem": PAYLOAD, "observed_at": now}
        )
        rows["visits"].append(
            {
                "arn": arn,
                "redrive_count": 0,
                "state": PAYLOAD,
                "type": "Task",
                "status": status,
                "entered_at": begin,
                "seconds": 9.0,
                "retries": 1,
            }
        )
        if status == "FAILED":
            rows["failures"].append(
                {
                    "execution_arn": arn,
                    "state": PAYLOAD,
                    "error": PAYLOAD,
                    "cause": PAYLOAD,
                    "failed_at": begin,
                    "kind": "fault" if outcome is Outcome.FAULTED else "rejection",
                    "version": "1",
                    "image": f"s3://b/{PAYLOAD}",
                    "attempt": 0,
                    "ended_in": PAYLOAD,
                    "observed_at": now,
                }
            )
    SegmentStore(store_root(connection, environ), execution_tables.TABLES).commit(
        {
            name: execution_tables.build_frame(found, execution_tables.TABLES[name])
            for name, found in rows.items()
            if found
        }
    )


def _captures(connection: Connection, environ: dict[str, str]) -> None:
    now = datetime.now(UTC)
    rows = captured(40, endpoints=(connection.settings.endpoint, PAYLOAD), variants=(PAYLOAD,))
    late = now - rows["inference_time"].max()  # type: ignore[operator]
    rows = rows.with_columns(
        pl.col("inference_time") + late,
        pl.col("hour") + late,
        event_id=pl.concat_str(pl.lit(PAYLOAD), "event_id"),
        inference_id=pl.concat_str(pl.lit(PAYLOAD), "inference_id"),
        key=pl.lit(PAYLOAD),
        custom_attributes=pl.lit([PAYLOAD]),
    )
    unread = {
        "key": PAYLOAD,
        "line": 1,
        "reason": PAYLOAD,
        "detail": PAYLOAD,
        "offset": 0,
        "length": 9,
        "event_id": PAYLOAD,
        "lines": 1,
        "found_at": now,
    }
    SegmentStore(store_root(connection, environ, kind="captures"), capture_tables.TABLES).commit(
        {"captures": rows, "errors": pl.DataFrame([unread], schema=pl.Schema(ERRORS))}
    )


def _objects(connection: Connection) -> None:
    """Notes, alerts, labels, draws and actions in the bucket; some cannot be read."""
    name, now = SHORT.replace("/", "-"), datetime.now(UTC)
    action = AuditRow(
        id="hostile",
        phase=Phase.ENDED,
        at=now,
        actor=PAYLOAD,
        role=PAYLOAD,
        action=Privilege.SUBMIT,
        request=PAYLOAD,
        result=PAYLOAD,
        origin=PAYLOAD,
    )
    for key, body in {
        f"{NOTES_PREFIX}{now:%Y/%m/%d}/{name}.json": PAYLOAD,
        f"{ALERTS_PREFIX}{name}.json": json.dumps(
            {"key": name, "subject": PAYLOAD, "body": PAYLOAD}
        ),
        f"{OUTBOX_PREFIX}{name}.json": PAYLOAD,
        f"{GROUND_TRUTH_PREFIX}/{now:%Y/%m/%d/%H}/{name}.jsonl": PAYLOAD,
        f"{DRAWS_PREFIX}/{name}.json": PAYLOAD,
        f"{AUDIT_PREFIX}{name}.json": PAYLOAD,
        key_of(action): encode(action),
        f"images/{name}.png": PAYLOAD,
    }.items():
        data = body.encode() if isinstance(body, str) else body
        connection.client("s3").put_object(Bucket=connection.settings.bucket, Key=key, Body=data)


def their_workflow(connection: Connection, environ: dict[str, str]) -> WatchedWorkflow:
    """Make a workflow of somebody else, whose name, states, errors and causes are payloads."""
    client = connection.client("stepfunctions")
    definition = {
        "Comment": PAYLOAD,
        "StartAt": SHORT,
        "States": {
            SHORT: {"Type": "Pass", "Result": {PAYLOAD: 0.9, "dog": 0.1}, "Next": f"{SHORT}2"},
            f"{SHORT}2": {"Type": "Fail", "Error": PAYLOAD, "Cause": PAYLOAD, "Comment": PAYLOAD},
        },
    }
    arn = client.create_state_machine(
        name=f"hostile-{uuid.uuid4().hex[:8]}",
        definition=json.dumps(definition),
        roleArn="arn:aws:iam::123456789012:role/theirs",
    )["stateMachineArn"]
    for number in range(2):
        client.start_execution(
            stateMachineArn=arn, name=f"run-{number}", input=json.dumps({"s3_key": PAYLOAD})
        )
    found = WatchedWorkflow(
        name=PAYLOAD,
        state_machine_arn=arn,
        started_through=arn,
        endpoint=PAYLOAD,
        endpoint_source=PAYLOAD,
        classes=(PAYLOAD, "dog"),
        threshold_source=PAYLOAD,
        functions=(PAYLOAD,),
        bucket=connection.settings.bucket,
    )
    WorkflowRegistry(store_root(connection, environ, kind="workflows").with_suffix(".json")).save(
        found
    )
    return found
