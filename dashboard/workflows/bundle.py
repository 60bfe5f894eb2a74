"""Bundles: capture files and console exports that somebody sent, opened as a watched workflow.

Nothing of AWS is asked. Executions go into a store as if they had been read; captures go into a
bucket of the local cloud, where the sync finds them as it finds any others.
"""

import hashlib
import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final

from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained
from dashboard.aws.executions import encode_events
from dashboard.executions import tables
from dashboard.executions.history_reading import read_history
from dashboard.shared.store import SegmentStore
from dashboard.shared.store_root import store_root
from workflow.discovery import called_functions, fixed_image, guess_threshold
from workflow.errors import WorkflowError
from workflow.execution_rules import ExecutionRules, rules_of
from workflow.exports import Export, read_export, write_export
from workflow.machine_rules import classifies
from workflow.monitoring import CapturePlace
from workflow.watched import NO_THRESHOLD, WatchedWorkflow

MOST_BYTES: Final = 1 << 30
"""Of all files of a folder."""

MOST_UNPACKED_BYTES: Final = 1 << 28
"""Of all files of a zip, which a file of 250 kB may claim to hold."""

MOST_FILES: Final = 100_000
BUCKET: Final = "imported-captures"
_DIGEST_CHARACTERS: Final = 12
_LAYOUT_PARTS: Final = 7
"""endpoint, variant, year, month, day, hour and file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedBundle:
    """What was sent.

    Attributes:
        name: Of the folder or the archive.
        digest: Of its content: the same bundle is the same workflow.
        exports: One an execution.
        captures: Capture files by their path.
        ignored: Files that are neither, with the reason.
    """

    name: str
    digest: str
    exports: tuple[Export, ...]
    captures: Mapping[str, bytes]
    ignored: tuple[str, ...]


def read_archive(name: str, content: bytes) -> ReceivedBundle:
    """Read a zip.

    Raises:
        WorkflowError: ``BundleInvalid`` where it is not a zip, is too large, or holds neither an
            export nor a capture.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            files = [one for one in packed.infolist() if not one.is_dir()]
            # Sizes as the archive claims them: ``zipfile`` reads no more of an entry than that.
            _check_bounds(name, [one.file_size for one in files], MOST_UNPACKED_BYTES)
            unpacked = {one.filename: packed.read(one) for one in files}
    except WorkflowError:
        raise
    except Exception as error:  # noqa: BLE001 - the edge: whatever damage makes zipfile raise is a refusal
        reason = str(error) or type(error).__name__
        raise _invalid_error(f"{name} is not a zip file that can be opened: {reason}.") from None
    return _sort_files(name, unpacked)


def read_folder(folder: Path) -> ReceivedBundle:
    """Read every file below a folder of this machine.

    Raises:
        WorkflowError: As ``read_archive``; ``BundleInvalid`` where there is no such folder.
    """
    if not folder.is_dir():
        raise _invalid_error(f"There is no folder {folder} on the machine of the dashboard.")
    try:
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        _check_bounds(str(folder), [path.stat().st_size for path in paths], MOST_BYTES)
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    except OSError as error:
        raise _invalid_error(f"{folder} cannot be read: {error}.") from None
    return _sort_files(folder.name, files)


def _check_bounds(name: str, sizes: Sequence[int], most_bytes: int) -> None:
    if sum(sizes) > most_bytes or len(sizes) > MOST_FILES:
        raise _invalid_error(f"{name} holds more than {most_bytes >> 20:,} MiB or 100,000 files.")


def open_bundle(cloud: Connection, bundle: ReceivedBundle, now: datetime) -> WatchedWorkflow:
    """Put a bundle into the local cloud and into a store; the workflow that it is from now on.

    A bundle that was opened before is not stored again.

    Raises:
        WorkflowError: Under AWS's own code, where captures cannot be written.
    """
    workflow = _describe_workflow(bundle)
    connection = cloud.watching(workflow)
    store = SegmentStore(store_root(connection), tables.TABLES)
    if not store.table_version("executions"):
        rows = _build_rows(bundle.exports, rules_of(workflow), now)
        store.commit({name: tables.build_frame(given, tables.TABLES[name]) for name, given in rows})
    if bundle.captures:
        _write_captures(cloud, bundle)
    return workflow


def _sort_files(name: str, files: Mapping[str, bytes]) -> ReceivedBundle:
    exports: list[Export] = []
    captures: dict[str, bytes] = {}
    ignored: list[str] = []
    for path, content in files.items():
        if b'"captureData"' in content[:1_000_000]:
            captures[path] = content
            continue
        if PurePosixPath(path).suffix.lower() != ".json":
            ignored.append(f"{path}: neither an export nor a capture file")
            continue
        try:
            exports.append(read_export(content))
        except WorkflowError as error:
            ignored.append(f"{path}: {error.message}")
    if not exports and not captures:
        raise _invalid_error(f"{name} holds no export of an execution and no capture file.")
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.encode(errors="surrogateescape") + b"\0" + files[path])
    return ReceivedBundle(
        name=name,
        digest=digest.hexdigest()[:_DIGEST_CHARACTERS],
        exports=tuple({one.execution.arn: one for one in exports}.values()),
        captures=captures,
        ignored=tuple(ignored),
    )


def _describe_workflow(bundle: ReceivedBundle) -> WatchedWorkflow:
    """Describe the exports' state machine; of several, the one of most executions."""
    definitions = Counter(one.definition for one in bundle.exports if one.definition)
    definition = definitions.most_common(1)[0][0] if definitions else ""
    threshold = guess_threshold(definition, ())
    texts = (text for one in bundle.exports for text in (one.execution.input, one.execution.output))
    return WatchedWorkflow(
        name=f"{bundle.name} (imported)",
        imported=bundle.digest,
        functions=called_functions(definition),
        captures=CapturePlace(BUCKET, bundle.digest) if bundle.captures else None,
        threshold=float(threshold.value) if threshold else WatchedWorkflow(name="").threshold,
        threshold_source=threshold.reason if threshold else NO_THRESHOLD,
        owes_inference=classifies(definition, texts),
        fixed_image=fixed_image(definition),
    )


def _build_rows(
    exports: tuple[Export, ...], rules: ExecutionRules, now: datetime
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield rows of the tables of executions, as a sync would have written them."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in tables.TABLES}
    for export in exports:
        written = write_export(export.execution, export.events, export.definition)
        events = tuple(json.loads(written)["historyHash"].values())
        reading = read_history(export.execution, events, rules=rules)
        execution = reading.execution
        attempt = (execution.arn, execution.redrive_count)
        rows["executions"].append(tables.execution_row(execution, now))
        if execution.status.ended:
            rows["execution_details"].append(
                tables.detail_row(execution, "describe", now, rules=rules, visits=reading.visits)
            )
        rows["histories"].append(
            {
                "arn": execution.arn,
                "redrive_count": execution.redrive_count,
                "events": encode_events(events),
                "problem": reading.problem,
                "observed_at": now,
            }
        )
        rows["visits"] += [tables.visit_row(attempt, visit) for visit in reading.visits]
        if reading.failure:
            rows["failures"].append(tables.failure_row(reading.failure, now))
    starts = [one.execution.started_at for one in exports] or [now]
    # One complete span: there is nothing that a listing could add.
    rows["spans"].append(
        {"newest": max(starts), "oldest": min(starts), "token": None, "token_at": now}
    )
    yield from ((name, given) for name, given in rows.items() if given)


def _write_captures(cloud: Connection, bundle: ReceivedBundle) -> None:
    s3 = cloud.client("s3")
    with explained("s3:CreateBucket", BUCKET):
        if BUCKET not in {one["Name"] for one in s3.list_buckets()["Buckets"]}:
            region = cloud.cloud.region  # us-east-1 is the one that must not be named
            place = {"CreateBucketConfiguration": {"LocationConstraint": region}}
            s3.create_bucket(Bucket=BUCKET, **({} if region == "us-east-1" else place))
    for path, content in bundle.captures.items():
        key = f"{bundle.digest}/{_laid_out(path)}"
        with explained("s3:PutObject", key):
            s3.put_object(Bucket=BUCKET, Key=key, Body=content)


def _laid_out(path: str) -> str:
    """Return a path in SageMaker's layout where the sender kept that, else below one folder."""
    parts = PurePosixPath(path).parts
    if len(parts) >= _LAYOUT_PARTS and all(part.isdigit() for part in parts[-5:-1]):
        return "/".join(parts[-_LAYOUT_PARTS:])
    return "/".join(("imported", "files", *parts))


def _invalid_error(message: str) -> WorkflowError:
    return WorkflowError(
        "BundleInvalid",
        message,
        "Give a zip or a folder with execution-detail.json files of the Step Functions console, "
        "and .jsonl files of SageMaker data capture.",
    )
