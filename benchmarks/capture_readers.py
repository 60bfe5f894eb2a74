"""Readers of data capture files, ours and those a user could pick instead; one measured run.

Run by ``benchmarks.captures`` as ``python -m benchmarks.capture_readers READER DIRECTORY``. Every
reader makes the same table of the same files: time, event id, both probabilities, label and
confidence (ours has key, line, offset and length besides). Prints CPU seconds, peak memory and
what the table holds, as JSON.
"""

import base64
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.memory import PeakMemory

DUCKDB_QUERY = """
WITH lines AS (
    SELECT eventMetadata.inferenceTime::TIMESTAMP AS time, eventMetadata.eventId AS id,
        CASE captureData.endpointOutput.encoding
            WHEN 'BASE64' THEN decode(from_base64(captureData.endpointOutput.data))
            ELSE captureData.endpointOutput.data END AS text
    FROM read_json(?, format = 'newline_delimited', maximum_object_size = 67108864, columns = {
        captureData: 'STRUCT(endpointOutput STRUCT(data VARCHAR, "encoding" VARCHAR))',
        eventMetadata: 'STRUCT(eventId VARCHAR, inferenceTime VARCHAR)'})
), cells AS (SELECT time, id, string_split(trim(text, '[] '), ',') AS cell FROM lines)
SELECT time, id, trim(cell[1])::DOUBLE AS p0, trim(cell[2])::DOUBLE AS p1,
    (p1 > p0)::INTEGER AS label, greatest(p0, p1) AS confidence FROM cells
"""

Paths = list[Path]


def _bytes(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def _row(record: dict[str, Any], loads: Callable[[str], Any]) -> tuple[Any, ...]:
    output, event = record["captureData"]["endpointOutput"], record["eventMetadata"]
    text = output["data"]
    if output["encoding"] == "BASE64":
        text = base64.b64decode(text).decode()
    row = loads(text) if text.startswith("[") else [float(cell) for cell in text.split(",")]
    return event["inferenceTime"], event["eventId"], *row


def _frame(rows: Iterable[tuple[Any, ...]]) -> Any:  # noqa: ANN401 - a pandas DataFrame
    import pandas as pd  # noqa: PLC0415 - each reader imports its own library only

    frame = pd.DataFrame(list(rows), columns=["time", "id", "p0", "p1"])
    frame["time"] = pd.to_datetime(frame["time"])
    frame["label"] = (frame["p1"] > frame["p0"]).astype("int32")
    frame["confidence"] = frame[["p0", "p1"]].max(axis=1)
    return frame


def json_loop(paths: Paths) -> Any:  # noqa: ANN401
    """Return the plain loop over ``json.loads``."""

    def rows() -> Iterator[tuple[Any, ...]]:
        for path in paths:
            with path.open() as lines:
                for line in lines:
                    yield _row(json.loads(line), json.loads)

    return _frame(rows())


def orjson_loop(paths: Paths) -> Any:  # noqa: ANN401
    """Return the same loop with orjson."""
    import orjson  # noqa: PLC0415

    loads = orjson.loads
    return _frame(_row(loads(line), loads) for path in paths for line in _bytes(path).splitlines())


def jsonlines_loop(paths: Paths) -> Any:  # noqa: ANN401
    """As the starter notebook reads, but every line of a file."""
    import jsonlines  # noqa: PLC0415

    def rows() -> Iterator[tuple[Any, ...]]:
        for path in paths:
            with jsonlines.open(path) as lines:
                for record in lines:
                    yield _row(record, json.loads)

    return _frame(rows())


def pandas_read_json(paths: Paths) -> Any:  # noqa: ANN401
    """``pandas.read_json(lines=True)`` and ``json_normalize``, file by file."""
    import pandas as pd  # noqa: PLC0415

    frames = (pd.read_json(path, lines=True) for path in paths)
    normal = (pd.json_normalize([dict(r) for r in f.to_dict("records")]) for f in frames)  # type: ignore[arg-type]
    records = (record for frame in normal for record in frame.to_dict("records"))
    return _frame(
        _row(
            {
                "captureData": {
                    "endpointOutput": {
                        "data": record["captureData.endpointOutput.data"],
                        "encoding": record["captureData.endpointOutput.encoding"],
                    }
                },
                "eventMetadata": {
                    "inferenceTime": record["eventMetadata.inferenceTime"],
                    "eventId": record["eventMetadata.eventId"],
                },
            },
            json.loads,
        )
        for record in records
    )


def polars_scan(paths: Paths) -> Any:  # noqa: ANN401
    """``polars.scan_ndjson`` of all files, with only the fields that are needed."""
    import polars as pl  # noqa: PLC0415

    output = pl.Struct({"data": pl.String, "encoding": pl.String})
    event = pl.Struct({"eventId": pl.String, "inferenceTime": pl.String})
    schema = {"captureData": pl.Struct({"endpointOutput": output}), "eventMetadata": event}
    answer = pl.col("captureData").struct["endpointOutput"].struct
    metadata = pl.col("eventMetadata").struct
    text = pl.col("text")
    decoded = text.str.decode("base64", strict=False).cast(pl.String, strict=False)
    cell = text.str.strip_chars("[] ").str.split(",").list
    return (
        pl.scan_ndjson(paths, schema=schema)
        .select(
            time=metadata["inferenceTime"].str.to_datetime("%Y-%m-%dT%H:%M:%SZ"),
            id=metadata["eventId"],
            text=answer["data"],
            encoding=answer["encoding"],
        )
        .with_columns(text=pl.when(pl.col("encoding") == "BASE64").then(decoded).otherwise(text))
        .select(
            "time",
            "id",
            p0=cell.get(0).str.strip_chars().cast(pl.Float64),
            p1=cell.get(1).str.strip_chars().cast(pl.Float64),
        )
        .with_columns(
            label=(pl.col("p1") > pl.col("p0")).cast(pl.Int32),
            confidence=pl.max_horizontal("p0", "p1"),
        )
        .collect()
    )


def duckdb_read_json(paths: Paths) -> Any:  # noqa: ANN401
    """DuckDB's ``read_json`` of all files, with only the fields that are needed."""
    import duckdb  # noqa: PLC0415

    found = duckdb.connect().execute(DUCKDB_QUERY, [[str(path) for path in paths]])
    return found.to_arrow_table()


def ours(paths: Paths) -> Any:  # noqa: ANN401
    """``read_objects`` and ``capture_rows``, in batches as large as the sync stores."""
    import polars as pl  # noqa: PLC0415

    from dashboard.captures.tables import capture_rows  # noqa: PLC0415
    from dashboard.captures.writer import COMMIT_CAPTURES  # noqa: PLC0415
    from workflow.captures import CaptureReader  # noqa: PLC0415

    frames, reader = [], CaptureReader()
    for path in paths:
        reader.add(str(path), _bytes(path))
        if len(reader) > COMMIT_CAPTURES:
            frames.append(capture_rows(reader.batch()))
            reader = CaptureReader()
    frames.append(capture_rows(reader.batch()))
    return pl.concat(frames)


def limit(paths: Paths) -> None:
    """Read the bytes and do nothing with them."""
    for path in paths:
        _bytes(path)


READERS: dict[str, tuple[Callable[[Paths], Any], tuple[str, ...]]] = {
    "json loop": (json_loop, ("pandas",)),
    "pandas.read_json": (pandas_read_json, ("pandas",)),
    "jsonlines (notebook)": (jsonlines_loop, ("pandas", "jsonlines")),
    "orjson loop": (orjson_loop, ("pandas", "orjson")),
    "polars": (polars_scan, ("polars",)),
    "duckdb": (duckdb_read_json, ("duckdb", "pyarrow")),
    "ours": (ours, ("dashboard.captures.sync",)),
    "limit: read the bytes": (limit, ()),
}
"""Each reader and what it imports before the clock starts."""


def main(name: str, directory: Path) -> None:
    """Run one reader and print what it took."""
    reader, libraries = READERS[name]
    for library in libraries:
        importlib.import_module(library)
    paths = sorted(directory.rglob("*.jsonl"))
    reader(paths[:1])  # what a library does only once is not what is measured
    peak = PeakMemory()
    cpu, wall = time.process_time(), time.perf_counter()
    table = reader(paths)
    result = {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "peak_mb": peak.megabytes(),
    }
    if table is not None:
        result |= {
            "rows": len(table),
            "confidence": round(float(sum(table["confidence"].to_numpy())), 6),
            "label": int(sum(table["label"].to_numpy())),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
