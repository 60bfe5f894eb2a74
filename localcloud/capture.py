"""Capture: what an endpoint was asked and answered, written to S3 as SageMaker writes it.

Files are ``{prefix}/{endpoint}/{variant}/yyyy/mm/dd/hh/MM-SS-mmm-<uuid>.jsonl``, several records
each. AWS delivers them minutes late; here they are delivered within ``FLUSH_SECONDS``.
"""

import base64
import datetime as dt
import json
import random
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

FLUSH_SECONDS = 2.0
_RECORDS = 100

Put = Callable[[str, str, bytes], None]
_Batch = tuple[str, str, str]  # bucket, folder of the endpoint's variant, hour


class Capture:
    """Collects records and delivers them in batches.

    Args:
        put: Stores an object: bucket, key, body.
        clock: The time in seconds since 1970.
    """

    def __init__(self, put: Put, clock: Callable[[], float] = time.time) -> None:
        self._put = put
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[_Batch, list[tuple[float, bytes]]] = defaultdict(list)
        self._timer: threading.Timer | None = None

    def add(
        self,
        config: Mapping[str, Any],
        endpoint: str,
        variant: str,
        record: Mapping[str, Any],
        moment: float,
    ) -> None:
        """Take one record, as ``record`` makes it, for the place that a DataCaptureConfig names."""
        bucket, _, prefix = config["DestinationS3Uri"].removeprefix("s3://").partition("/")
        hour = dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y/%m/%d/%H")
        folder = "/".join(part for part in (prefix.strip("/"), endpoint, variant) if part)
        batch = (bucket, folder, hour)
        with self._lock:
            self._waiting[batch].append((moment, json.dumps(record).encode()))
            full = len(self._waiting[batch]) >= _RECORDS
            if self._timer is None:
                self._timer = threading.Timer(FLUSH_SECONDS, self.flush)
                self._timer.daemon = True
                self._timer.start()
        if full:
            self.flush()

    def flush(self) -> None:
        """Deliver what is waiting."""
        with self._lock:
            waiting, self._waiting = self._waiting, defaultdict(list)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        for (bucket, folder, hour), lines in waiting.items():
            first = dt.datetime.fromtimestamp(lines[0][0], dt.UTC)
            name = f"{first:%M-%S}-{first.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
            body = b"".join(line + b"\n" for _, line in lines)
            self._put(bucket, f"{folder}/{hour}/{name}", body)


def sampled(config: Mapping[str, Any] | None) -> bool:
    """Whether this invocation is captured, by the configuration's sampling percentage."""
    if not config or not config.get("EnableCapture", True):
        return False
    return random.random() * 100 < float(config["InitialSamplingPercentage"])  # noqa: S311 - a sample


def record(
    config: Mapping[str, Any],
    *,
    request: tuple[bytes, str],
    answer: tuple[bytes, str],
    moment: float,
    event_id: str,
    inference_id: str | None,
    custom_attributes: str | None,
) -> dict[str, Any]:
    """One line of a capture file.

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
        data["endpointInput"] = _part(config, "INPUT", *request)
    if both or "Output" in modes:
        data["endpointOutput"] = _part(config, "OUTPUT", *answer)
    metadata: dict[str, Any] = {"eventId": event_id}
    if inference_id:
        metadata["inferenceId"] = inference_id
    if custom_attributes:
        metadata["customAttributes"] = [custom_attributes]
    metadata["inferenceTime"] = dt.datetime.fromtimestamp(moment, dt.UTC).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    return {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}


def _part(config: Mapping[str, Any], mode: str, body: bytes, content_type: str) -> dict[str, str]:
    encoding = _encoding(config.get("CaptureContentTypeHeader") or {}, content_type)
    text = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode("utf-8")
    return {
        "observedContentType": content_type,
        "mode": mode,
        "data": text,
        "encoding": encoding,
    }


def _encoding(headers: Mapping[str, Any], content_type: str) -> str:
    """JSON or CSV where the configuration lists the content type, else BASE64."""
    plain = content_type.partition(";")[0].strip().lower()
    for encoding, field in (("JSON", "JsonContentTypes"), ("CSV", "CsvContentTypes")):
        if plain in [listed.lower() for listed in headers.get(field, ())]:
            return encoding
    return "BASE64"
