"""Capture: what an endpoint was asked and answered, written to S3 as SageMaker writes it.

Files are ``{prefix}/{endpoint}/{variant}/yyyy/mm/dd/hh/MM-SS-mmm-<uuid>.jsonl``, several records
each. When they are delivered, ``aws_like.delivery`` says; until then they wait in the store, so
that none is lost with the process.
"""

import base64
import datetime as dt
import json
import random
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from localcloud.aws_like.delivery import Delivery
from localcloud.store import Store

_TABLE = """
CREATE TABLE IF NOT EXISTS captures (
    id INTEGER PRIMARY KEY, bucket TEXT, folder TEXT, moment REAL, line BLOB, key TEXT
);
"""

Put = Callable[[str, str, bytes], None]


class DataCapture:
    """Keeps records in the store and delivers them in batches.

    Args:
        store: Keeps what waits to be delivered.
        put: Stores an object: bucket, key, body.
        delivery: When they are delivered, and in which files.
    """

    def __init__(self, store: Store, put: Put, delivery: Delivery) -> None:
        store.run_script(_TABLE)
        self._store = store
        self._put = put
        self._delivery = delivery
        self._lock = threading.Lock()
        self._delivering = threading.Lock()
        self._waiting = 0
        self._timer: threading.Timer | None = None
        self._withheld = False

    def add_record(
        self,
        config: Mapping[str, Any],
        endpoint: str,
        variant: str,
        record: Mapping[str, Any],
        moment: float,
    ) -> None:
        """Keep one record, as ``record`` makes it, for the place that a DataCaptureConfig names."""
        bucket, _, prefix = config["DestinationS3Uri"].removeprefix("s3://").partition("/")
        hour = dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y/%m/%d/%H")
        folder = "/".join(part for part in (prefix.strip("/"), endpoint, variant, hour) if part)
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        self._store.execute(
            "INSERT INTO captures (bucket, folder, moment, line) VALUES (?, ?, ?, ?)",
            (bucket, folder, moment, line),
        )
        with self._lock:
            self._waiting += 1
            full = self._waiting >= self._delivery.most
            if self._timer is None:
                self._timer = threading.Timer(self._delivery.draw_wait(), self.deliver_waiting)
                self._timer.daemon = True
                self._timer.start()
        # Outside the lock, which the delivery takes as well.
        if full:
            self.deliver_waiting()

    @contextmanager
    def withhold(self) -> Iterator[Callable[[], list[bytes]]]:
        """Deliver nothing until the block ends; yield what takes the waiting lines away."""

        def take() -> list[bytes]:
            rows = self._store.execute("DELETE FROM captures WHERE key IS NULL RETURNING line")
            return [line for (line,) in rows]

        self.deliver_waiting()
        # Only now: what was waiting before belongs to others.
        self._withheld = True
        try:
            yield take
        finally:
            self._withheld = False
            self.deliver_waiting()

    def deliver_waiting(self) -> None:
        """Deliver what is waiting, also what an earlier process left."""
        if self._withheld:
            return
        with self._lock:
            self._waiting = 0
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        with self._delivering:
            # One delivery at a time: two would write the same lines to two objects.
            self._assign_keys()
            for bucket, key in self._store.execute(
                "SELECT DISTINCT bucket, key FROM captures WHERE key IS NOT NULL"
            ):
                lines = self._store.execute(
                    "SELECT line FROM captures WHERE key = ? ORDER BY id", [key]
                )
                # The object first: after a kill in between, the same lines go to the same key
                # again.
                self._put(bucket, key, self._delivery.build_body([line for (line,) in lines]))
                self._store.execute("DELETE FROM captures WHERE key = ?", [key])

    def _assign_keys(self) -> None:
        """Name the object of each record, so that one that is delivered again replaces itself."""
        folders = self._store.execute(
            "SELECT DISTINCT bucket, folder FROM captures WHERE key IS NULL"
        )
        for bucket, folder in folders:
            records = self._store.execute(
                "SELECT id, moment FROM captures WHERE key IS NULL AND bucket = ? AND folder = ? "
                "ORDER BY moment",
                (bucket, folder),
            )
            for ids in self._delivery.split_files([number for number, _ in records]):
                key = f"{folder}/{_file_name(min(m for number, m in records if number in ids))}"
                marks = ", ".join("?" * len(ids))
                self._store.execute(
                    f"UPDATE captures SET key = ? WHERE id IN ({marks})",  # noqa: S608 - "?" only
                    (key, *ids),
                )


def _file_name(first: float) -> str:
    """Return the name of a file whose first record is of a moment."""
    moment = dt.datetime.fromtimestamp(first, dt.UTC)
    return f"{moment:%M-%S}-{moment.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"


def is_sampled(config: Mapping[str, Any] | None) -> bool:
    """Return whether this invocation is captured, by the configuration's sampling percentage."""
    if not config or not config.get("EnableCapture", True):
        return False
    return random.random() * 100 < float(config["InitialSamplingPercentage"])  # noqa: S311 - a sample


def build_record(
    config: Mapping[str, Any],
    *,
    request: tuple[bytes, str],
    answer: tuple[bytes, str],
    moment: float,
    event_id: str,
    inference_id: str | None,
    custom_attributes: str | None,
) -> dict[str, Any]:
    """Return one line of a capture file.

    Args:
        config: The endpoint's DataCaptureConfig.
        request: Body and content type of the input.
        answer: Body and content type of the output.
        moment: Time of the inference.
        event_id: Id of the event.
        inference_id: The caller's InferenceId, if any.
        custom_attributes: The caller's CustomAttributes, if any.
    """
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    both = "InputAndOutput" in modes
    data: dict[str, Any] = {}
    if both or "Input" in modes:
        data["endpointInput"] = _build_part(config, "INPUT", *request)
    if both or "Output" in modes:
        data["endpointOutput"] = _build_part(config, "OUTPUT", *answer)
    metadata: dict[str, Any] = {"eventId": event_id}
    if inference_id:
        metadata["inferenceId"] = inference_id
    if custom_attributes:
        metadata["customAttributes"] = [custom_attributes]
    metadata["inferenceTime"] = dt.datetime.fromtimestamp(moment, dt.UTC).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    return {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}


def _build_part(
    config: Mapping[str, Any], mode: str, body: bytes, content_type: str
) -> dict[str, str]:
    encoding = _choose_encoding(config.get("CaptureContentTypeHeader") or {}, content_type)
    text = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode("utf-8")
    return {
        "observedContentType": content_type,
        "mode": mode,
        "data": text,
        "encoding": encoding,
    }


def _choose_encoding(headers: Mapping[str, Any], content_type: str) -> str:
    """Return JSON or CSV where the configuration lists the content type, else BASE64."""
    plain = content_type.partition(";")[0].strip().lower()
    for encoding, field in (("JSON", "JsonContentTypes"), ("CSV", "CsvContentTypes")):
        if plain in [listed.lower() for listed in headers.get(field, ())]:
            return encoding
    return "BASE64"
