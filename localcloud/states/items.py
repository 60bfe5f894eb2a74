"""Items: what a distributed Map reads from S3, and the batches that it makes of it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localcloud.states.failure import StateFailure
from localcloud.states.services import ServiceError
from workflow.asl import templates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localcloud.states.steps import Step, World


def read_items(world: World, step: Step, given: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
    """Return the items that an ItemReader gives.

    Raises:
        Failure: ``States.ItemReaderFailed``.
    """
    reader = step.state["ItemReader"]
    config = reader.get("ReaderConfig", {})
    scope = step.fields.scope(given)
    if step.fields.jsonata:
        parameters = templates.query(reader.get("Arguments", {}), scope, "ItemReader/Arguments")
    else:
        parameters = templates.fill(reader.get("Parameters", {}), scope)
    action = reader["Resource"].rpartition(":")[2]
    try:
        answer = world.services.call("s3", action, parameters)
        items = answer.get("Contents", []) if action == "listObjectsV2" else _parsed(answer, config)
    except (ServiceError, ValueError) as error:
        raise StateFailure("States.ItemReaderFailed", str(error)) from None
    return items[: config.get("MaxItems", len(items))]


def _parsed(answer: Mapping[str, Any], config: Mapping[str, Any]) -> list[Any]:
    text, kind = answer["Body"], config.get("InputType", "JSON")
    if kind == "CSV":
        return _rows(text, config)
    if kind == "JSONL":
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    found = json.loads(text)
    if not isinstance(found, list):
        raise ValueError("Attempting to map over non-iterable node.")  # noqa: TRY004 - a bad file
    return found


def _rows(text: str, config: Mapping[str, Any]) -> list[dict[str, str]]:
    rows = list(csv.reader(io.StringIO(text)))
    if config.get("CSVHeaderLocation") == "GIVEN":
        names = config["CSVHeaders"]
    else:
        names, rows = (rows[0], rows[1:]) if rows else ([], [])
    return [dict(zip(names, row, strict=False)) for row in rows]


def batched(step: Step, given: Any, items: Sequence[Any]) -> list[Any]:  # noqa: ANN401
    """Items in the batches that ItemBatcher asks for; as they are where there is none."""
    batcher = step.state.get("ItemBatcher")
    if batcher is None:
        return list(items)
    scope, shared = step.fields.scope(given), {}
    if "BatchInput" in batcher:
        if step.fields.jsonata:
            filled = templates.query(batcher["BatchInput"], scope, "ItemBatcher/BatchInput")
        else:
            filled = templates.fill(batcher["BatchInput"], scope)
        shared = {"BatchInput": filled}
    fields = replace(step.fields, state=batcher)
    size = int(fields.number("MaxItemsPerBatch", given) or len(items) or 1)
    return [
        {**shared, "Items": list(items[start : start + size])}
        for start in range(0, len(items), size)
    ]
