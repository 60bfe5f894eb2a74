"""Items: what a distributed Map reads from S3, and the batches that it makes of it.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html and
input-output-itembatcher.html.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localcloud.states.failure import StateFailure
from localcloud.states.services import ServiceError
from workflow.asl import templates
from workflow.asl.data import json_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from localcloud.states.services import Services
    from localcloud.states.steps import Step, World

_INPUT_LIMIT = 262_144
_DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}


def read_items(world: World, step: Step, given: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
    """Return the items that an ItemReader gives.

    Raises:
        StateFailure: ``States.ItemReaderFailed``.
    """
    reader = step.state["ItemReader"]
    config = reader.get("ReaderConfig", {})
    found = evaluate_parameters(step, given, "ItemReader")
    items: Sequence[Any]
    try:
        if reader["Resource"].endswith(":listObjectsV2"):
            items = list(_list_objects(world.services, found))
        else:
            items = _parse_items(world.services, found, config)
    except (ServiceError, ValueError, KeyError, OSError, EOFError, zlib.error) as error:
        raise StateFailure("States.ItemReaderFailed", str(error)) from None
    most = replace(step.fields, state=config).read_number("MaxItems", given)
    return list(items[: int(most)] if most else items)


def evaluate_parameters(step: Step, given: Any, field: str) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """Return the parameters of an ItemReader or ResultWriter, by the query language of the state.

    Args:
        step: The Map state.
        given: Its input after InputPath.
        field: ``ItemReader`` or ``ResultWriter``.
    """
    scope, holder = step.fields.build_scope(given), step.state[field]
    if step.fields.jsonata:
        filled = templates.evaluate_template(
            holder.get("Arguments", {}), scope, f"{field}/Arguments"
        )
    else:
        filled = templates.fill_template(holder.get("Parameters", {}), scope)
    return dict(filled)


def _list_objects(services: Services, found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """List a prefix, page by page, as Step Functions writes what it lists."""
    asked = dict(found)
    while True:
        answer = services.call_service("s3", "listObjectsV2", asked)
        for one in answer.get("Contents", []):
            changed = dt.datetime.fromisoformat(one["LastModified"]).timestamp()
            yield {
                "Etag": one["ETag"],
                "Key": one["Key"],
                "LastModified": int(changed),
                "Size": one["Size"],
                "StorageClass": one.get("StorageClass", "STANDARD"),
            }
        if not answer.get("IsTruncated"):
            return
        asked["ContinuationToken"] = answer["NextContinuationToken"]


def _parse_items(
    services: Services, found: Mapping[str, Any], config: Mapping[str, Any]
) -> Sequence[Any]:
    content, kind = services.read_object(found), config.get("InputType", "JSON")
    if kind == "MANIFEST":
        return list(_read_inventory(services, json.loads(content)))
    text = content.decode()
    if kind == "CSV":
        return _parse_csv(text, config)
    if kind == "JSONL":
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    items = json.loads(text)
    if not isinstance(items, list):
        raise ValueError("Attempting to map over non-iterable node.")  # noqa: TRY004 - a bad file
    return items


def _read_inventory(services: Services, manifest: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Return the rows of an S3 inventory in CSV, named by the schema of its manifest."""
    if manifest["fileFormat"] != "CSV":
        raise ValueError(f"The local cloud reads no inventory in {manifest['fileFormat']}.")
    names = [name.strip() for name in manifest["fileSchema"].split(",")]
    bucket = manifest["destinationBucket"].rpartition(":")[2]
    for file in manifest["files"]:
        # S3 compresses every file of a CSV inventory.
        content = gzip.decompress(services.read_object({"Bucket": bucket, "Key": file["key"]}))
        for row in csv.reader(io.StringIO(content.decode())):
            yield dict(zip(names, row, strict=False))


def _parse_csv(text: str, config: Mapping[str, Any]) -> list[dict[str, str]]:
    delimiter = _DELIMITERS[config.get("CSVDelimiter", "COMMA")]
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    if config.get("CSVHeaderLocation") == "GIVEN":
        names = config["CSVHeaders"]
    else:
        names, rows = (rows[0], rows[1:]) if rows else ([], [])
    return [dict(zip(names, row, strict=False)) for row in rows]


def make_batches(step: Step, given: Any, items: Sequence[Any]) -> list[Any]:  # noqa: ANN401
    """Return items in the batches that ItemBatcher asks for; unchanged where there is none."""
    batcher = step.state.get("ItemBatcher")
    if batcher is None:
        return list(items)
    scope, shared = step.fields.build_scope(given), {}
    if "BatchInput" in batcher:
        if step.fields.jsonata:
            filled = templates.evaluate_template(
                batcher["BatchInput"], scope, "ItemBatcher/BatchInput"
            )
        else:
            filled = templates.fill_template(batcher["BatchInput"], scope)
        shared = {"BatchInput": filled}
    fields = replace(step.fields, state=batcher)
    most = int(fields.read_number("MaxItemsPerBatch", given) or len(items) or 1)
    room = int(fields.read_number("MaxInputBytesPerBatch", given) or _INPUT_LIMIT)
    room = min(room, _INPUT_LIMIT) - json_size({**shared, "Items": []})
    return [{**shared, "Items": part} for part in _split_items(items, most, room)]


def _split_items(items: Sequence[Any], most: int, room: int) -> Iterator[list[Any]]:
    """Cut items into lists of so many at most, and of so many bytes as JSON where they fit."""
    part: list[Any] = []
    left = room
    for item in items:
        # One byte for the comma between two items.
        taken = json_size(item) + 1
        if part and (len(part) == most or taken > left):
            yield part
            part, left = [], room
        part.append(item)
        left -= taken
    if part:
        yield part


def item_count(step: Step, data: Any) -> int:  # noqa: ANN401 - any JSON value
    """Return how many items the input of a child execution holds."""
    return len(data["Items"]) if "ItemBatcher" in step.state else 1
