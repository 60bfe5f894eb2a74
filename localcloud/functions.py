"""Lambda: invocations of the code that was uploaded, at once or from a queue."""

import base64
import json
import threading
import uuid

from localcloud.concurrency import Throttled
from localcloud.environment import Deployed, InvocationOutcome
from localcloud.errors import AwsError
from localcloud.function_code import unpack_zip
from localcloud.function_records import FunctionRecords, code_digest
from localcloud.wire import Call, Params

_REQUEST_LIMIT = 6_291_456
_ASYNC_LIMIT = 1_048_576
_TAIL = 4096


class Functions(FunctionRecords):
    """The ``lambda`` service: what ``FunctionRecords`` keeps can be invoked."""

    def invoke(self, call: Call) -> Params:
        p = call.params
        payload = p.get("Payload") or b""
        event = payload if isinstance(payload, bytes) else str(payload).encode()
        kind = p.get("InvocationType", "RequestResponse")
        limit = _ASYNC_LIMIT if kind == "Event" else _REQUEST_LIMIT
        if len(event) > limit:
            raise AwsError(
                "RequestEntityTooLargeException",
                f"Request must be smaller than {limit} bytes for the InvokeFunction operation",
                413,
            )
        name, configuration = self._find_version(p)
        _check_json(event)
        if kind == "DryRun":
            return {"StatusCode": 204}
        if kind == "Event":
            threading.Thread(
                target=self._run_queued, args=(name, configuration, event), daemon=True
            ).start()
            return {"StatusCode": 202}
        outcome = self._run_counted(name, configuration, event)
        out: Params = {
            "StatusCode": 200,
            "Payload": outcome.payload,
            "ExecutedVersion": configuration["Version"],
        }
        if outcome.failed:
            out["FunctionError"] = "Unhandled"
        if p.get("LogType") == "Tail":
            tail = "\n".join([*outcome.log, ""]).encode()[-_TAIL:]
            out["LogResult"] = base64.b64encode(tail).decode()
        return out

    def _run_queued(self, name: str, configuration: Params, event: bytes) -> None:
        try:
            self._run_counted(name, configuration, event, patient=True)
        except AwsError as error:
            self.cloud.warn(f"An event for {name} is dropped: {error}")

    def _run_counted(
        self, name: str, configuration: Params, event: bytes, *, patient: bool = False
    ) -> InvocationOutcome:
        try:
            with self._concurrency.hold_slot(name, patient=patient):
                return self._run_now(name, configuration, event)
        except Throttled:
            self.cloud.metrics.record_count("AWS/Lambda", "Throttles", {"FunctionName": name})
            raise

    def _run_now(self, name: str, configuration: Params, event: bytes) -> InvocationOutcome:
        if self._is_pending(name):
            raise AwsError(
                "ResourceConflictException",
                "The operation cannot be performed at this time. The function is currently in "
                f"the following state: Pending (function {name}).",
                409,
            )
        archive = self.cloud.store.blob_path(code_digest(configuration))
        deployed = Deployed(
            arn=configuration["FunctionArn"],
            revision=configuration["RevisionId"],
            code=unpack_zip(archive, self._code / archive.name),
            configuration=configuration,
        )
        outcome = self.pool.invoke(deployed, event or b"{}", str(uuid.uuid4()))
        group = configuration["LoggingConfig"]["LogGroup"]
        self.cloud.logs.append_lines(group, outcome.stream, outcome.log)
        self._record_metrics(name, outcome)
        return outcome

    def _record_metrics(self, name: str, outcome: InvocationOutcome) -> None:
        dimensions = {"FunctionName": name}
        metrics = self.cloud.metrics
        metrics.record_count("AWS/Lambda", "Invocations", dimensions)
        metrics.record_value("AWS/Lambda", "Errors", dimensions, float(outcome.failed), "Count")
        metrics.record_value(
            "AWS/Lambda", "Duration", dimensions, outcome.duration_ms, "Milliseconds"
        )


def _check_json(event: bytes) -> None:
    try:
        json.loads(event or b"{}")
    except ValueError as error:
        raise AwsError(
            "InvalidRequestContentException", f"Could not parse request body into json: {error}"
        ) from error
