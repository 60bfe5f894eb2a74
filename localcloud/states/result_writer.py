"""Result writer: the outputs of a Map Run's children, in S3 and in the form that is asked for.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from localcloud.states.failure import StateFailure
from localcloud.states.items import evaluate_parameters
from localcloud.states.services import ServiceError
from workflow.asl.data import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localcloud.states.executions import Execution
    from localcloud.states.map_runs import MapRun
    from localcloud.states.steps import Step, World


def write_results(
    world: World,
    step: Step,
    given: Any,  # noqa: ANN401 - any JSON value
    run: MapRun,
    pending: Sequence[Any],
) -> dict[str, Any]:
    """Write what became of all children to S3, and a manifest of the files.

    Args:
        world: Whose S3 it is.
        step: The Map state.
        given: Its input after InputPath.
        run: The Map Run.
        pending: Inputs of the children that were never begun.

    Returns:
        What the Map state gives then: the Map Run, and where the manifest is.

    Raises:
        StateFailure: ``States.ResultWriterFailed``.
    """
    where = evaluate_parameters(step, given, "ResultWriter")
    config = step.state["ResultWriter"].get("WriterConfig", {})
    groups: dict[str, list[Any]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for child in world.map_runs.list_children(run):
        fine = child["status"] == "SUCCEEDED"
        whole = [_build_entry(child)] if not fine else transform_result(child, config, "NONE")
        groups["SUCCEEDED" if fine else "FAILED"] += whole
    groups["PENDING"] = [
        {"Input": to_json(one), "InputDetails": {"Included": True}, "Status": "PENDING"}
        for one in pending
    ]
    prefix = where.get("Prefix", "").rstrip("/")
    folder = f"{prefix}/{run.arn.rpartition(':')[2]}".lstrip("/")
    files: dict[str, list[dict[str, Any]]] = {name: [] for name in groups}
    lines = config.get("OutputType", "JSON") == "JSONL"
    for name, entries in groups.items():
        if entries:
            text = "".join(f"{to_json(e)}\n" for e in entries) if lines else to_json(entries)
            key = f"{folder}/{name}_0.{'jsonl' if lines else 'json'}"
            files[name] = [{"Key": key, "Size": _put_object(world, where["Bucket"], key, text)}]
    manifest = {
        "DestinationBucket": where["Bucket"],
        "MapRunArn": run.arn,
        "ResultFiles": files,
    }
    key = f"{folder}/manifest.json"
    _put_object(world, where["Bucket"], key, to_json(manifest))
    return {
        "MapRunArn": run.arn,
        "ResultWriterDetails": {"Bucket": where["Bucket"], "Key": key},
    }


def transform_result(child: Execution, config: Mapping[str, Any], default: str) -> list[Any]:
    """Return what the results hold of a child that succeeded, by ``Transformation``."""
    how = config.get("Transformation", default)
    if how == "NONE":
        return [_build_entry(child)]
    output = json.loads(child["body"]["output"])
    return output if how == "FLATTEN" and isinstance(output, list) else [output]


def _build_entry(child: Execution) -> dict[str, Any]:
    body = child["body"]
    entry = {
        "ExecutionArn": child["arn"],
        "Input": body["input"],
        "InputDetails": {"Included": True},
        "Name": child["name"],
        "RedriveCount": child["redrives"],
        "StartDate": _format_time(child["start"]),
        "StateMachineArn": child["machine"],
        "Status": child["status"],
        "StopDate": _format_time(child["stop"]),
    }
    if "output" in body:
        entry |= {"Output": body["output"], "OutputDetails": {"Included": True}}
    return entry | {name.title(): body[name] for name in ("error", "cause") if name in body}


def _put_object(world: World, bucket: str, key: str, text: str) -> int:
    content = {"Bucket": bucket, "Key": key, "Body": text, "ContentType": "application/json"}
    try:
        world.services.call_service("s3", "putObject", content)
    except ServiceError as error:
        raise StateFailure("States.ResultWriterFailed", str(error)) from None
    return len(text.encode())


def _format_time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
