"""Tasks: a Task state's call of a function or a service, with the events of it."""

from __future__ import annotations

import datetime as dt
import json
import queue
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from localcloud.states.failure import TIMEOUT, StateFailure
from localcloud.states.history import payload_details
from localcloud.states.resources import TaskResource, read_resource
from localcloud.states.services import ServiceError, optimized_error
from workflow.asl.data import json_size, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.states.steps import Mock, Step, World
    from localcloud.wire import Params

_DATA_LIMIT = 262_144
_CHILD_SECONDS = 0.05


def run_task(world: World, step: Step, given: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Run a Task state and return its result.

    Args:
        world: What the run shares.
        step: The Task state.
        given: Its input after InputPath.

    Raises:
        Failure: The call failed, timed out, or gave too much.
        LanguageError: A field of the Task cannot be evaluated.
    """
    resource = read_resource(step.state["Resource"])
    if resource is None:
        raise StateFailure(
            "States.Runtime", f"The resource {step.state['Resource']} is not supported."
        )
    return _Task(world, step, resource).run(given)


def find_mock(world: World, step: Step) -> Mock | None:
    """Return what a state is to give instead of being run; None where it is to run.

    Raises:
        Failure: The error that it is to end with.
    """
    mock = world.mocks.get(step.name)
    if mock is not None and mock.failure is not None:
        raise mock.failure
    return mock


class _Task:
    """One attempt of a Task state."""

    def __init__(self, world: World, step: Step, resource: TaskResource) -> None:
        self._world = world
        self._step = step
        self._resource = resource
        self._token = ""

    def run(self, given: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Evaluate its fields, then call."""
        tokens, context = self._world.tokens, self._step.flow.context
        if self._resource.pattern == "waitForTaskToken":
            # Before the fields are evaluated, because they may pass it on as $$.Task.Token.
            self._token = tokens.create_token()
            context["Task"] = {"Token": self._token}
        try:
            seconds = self._step.fields.read_number("TimeoutSeconds", given)
            heartbeat = self._step.fields.read_number("HeartbeatSeconds", given)
            parameters = self._step.fields.build_arguments(given)
            if self._resource.function is not None:
                return self._run_function(parameters, seconds, heartbeat)
            return self._run_service(parameters, seconds, heartbeat)
        finally:
            tokens.forget(self._token)
            context.pop("Task", None)

    # -- a function that is named by its ARN ---------------------------------------------------

    def _run_function(self, data: Any, seconds: float | None, heartbeat: float | None) -> Any:  # noqa: ANN401
        flow = self._step.flow
        details = {
            "resource": self._resource.function,
            **payload_details("input", to_json(data)),
            "timeoutInSeconds": seconds,
            "heartbeatInSeconds": heartbeat,
        }
        flow.record("LambdaFunctionScheduled", {"lambdaFunctionScheduledEventDetails": details})
        flow.record("LambdaFunctionStarted")
        try:
            if (mock := find_mock(self._world, self._step)) is not None:
                result = mock.result
            else:
                asked = {"FunctionName": self._resource.function, "Payload": to_json(data)}
                result = _read_payload(
                    self._call_within(seconds, lambda: self._invoke_function(asked))
                )
            self._check_size(result)
        except StateFailure as failure:
            kind = "TimedOut" if failure.error == TIMEOUT else "Failed"
            told = {"error": failure.error, "cause": failure.cause}
            flow.record(f"LambdaFunction{kind}", {f"lambdaFunction{kind}EventDetails": told})
            raise
        details = payload_details("output", to_json(result))
        flow.record("LambdaFunctionSucceeded", {"lambdaFunctionSucceededEventDetails": details})
        return result

    # -- a service ------------------------------------------------------------------------------

    def _run_service(self, parameters: Any, seconds: float | None, heartbeat: float | None) -> Any:  # noqa: ANN401
        flow = self._step.flow
        named = {"resourceType": self._resource.type, "resource": self._resource.name}
        details = {
            **named,
            "region": self._world.region,
            "parameters": to_json(parameters),
            "timeoutInSeconds": seconds,
            "heartbeatInSeconds": heartbeat,
        }
        flow.record("TaskScheduled", {"taskScheduledEventDetails": details})
        flow.record("TaskStarted", {"taskStartedEventDetails": named})
        try:
            result = self._await_result(parameters, seconds, heartbeat, named)
            self._check_size(result)
        except StateFailure as failure:
            late = failure.error in (TIMEOUT, "States.HeartbeatTimeout")
            kind = "TimedOut" if late else "Failed"
            told = {**named, "error": failure.error, "cause": failure.cause}
            flow.record(f"Task{kind}", {f"task{kind}EventDetails": told})
            raise
        done = {**named, **payload_details("output", to_json(result))}
        flow.record("TaskSucceeded", {"taskSucceededEventDetails": done})
        return result

    def _await_result(
        self,
        parameters: Any,  # noqa: ANN401 - any JSON value
        seconds: float | None,
        heartbeat: float | None,
        named: Params,
    ) -> Any:  # noqa: ANN401 - any JSON value
        started = time.monotonic()
        if (mock := find_mock(self._world, self._step)) is not None:
            return mock.result
        answer = self._call_within(seconds, lambda: self._call_service(parameters))
        if not self._resource.pattern:
            return answer
        submitted = {**named, **payload_details("output", to_json(answer))}
        self._step.flow.record("TaskSubmitted", {"taskSubmittedEventDetails": submitted})
        # TimeoutSeconds covers the call and the wait for its token or its child together.
        left = None if seconds is None else seconds - (time.monotonic() - started)
        if self._token:
            text = self._world.tokens.wait(self._token, self._step.flow, left, heartbeat)
            return json.loads(text)
        return self._wait_for_execution(answer["ExecutionArn"], left)

    def _call_service(self, parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
        resource, world = self._resource, self._world
        if resource.service == "lambda" and resource.action == "invoke":
            answer = self._invoke_function(_build_invocation(parameters))
            value = _read_payload(answer)
            if resource.sdk:
                return {**_without_metadata(answer), "Payload": to_json(value)}
            return {**_with_metadata(answer), "Payload": value}
        given = dict(parameters)
        if not resource.sdk:
            given = _prepare_parameters(resource, given)
        try:
            answer = world.services.call_service(resource.service, resource.action, given)
        except ServiceError as error:
            name = error.error if resource.sdk else optimized_error(resource.service, error.error)
            raise StateFailure(name, error.cause) from None
        if resource.sdk:
            return _without_metadata(answer)
        return _capitalize_keys(resource, _with_metadata(answer))

    def _invoke_function(self, parameters: Params) -> Params:
        try:
            return self._world.services.invoke_function(parameters, self._world.role_arn)
        except ServiceError as error:
            raise StateFailure(error.error, error.cause) from None

    def _wait_for_execution(self, arn: str, seconds: float | None) -> Any:  # noqa: ANN401 - any JSON value
        """Wait for an execution that this one started."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            # Polled: the child may end before anybody could listen for its end.
            found = self._world.services.describe_execution(arn)
            if found["status"] != "RUNNING":
                break
            if deadline is not None and time.monotonic() >= deadline:
                raise StateFailure(TIMEOUT)
            self._step.flow.sleep(_CHILD_SECONDS)
        parsed = self._resource.pattern == "sync:2"
        shown = _format_execution(found, parsed=parsed)
        if found["status"] != "SUCCEEDED":
            # The cause quotes the execution with input and output as text, also for .sync:2.
            raise StateFailure("States.TaskFailed", to_json(_format_execution(found, parsed=False)))
        return shown

    def _call_within(self, seconds: float | None, function: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Call a function that may take no longer; what takes longer is left to itself."""
        if seconds is None:
            return function()
        # A thread cannot be killed: one that takes too long ends by itself, and its result is
        # dropped.
        done: queue.Queue[tuple[Any, Exception | None]] = queue.Queue()

        def job() -> None:
            try:
                done.put((function(), None))
            except Exception as error:  # noqa: BLE001 - raised where it is waited for
                done.put((None, error))

        threading.Thread(target=job, daemon=True).start()
        try:
            result, error = done.get(timeout=seconds)
        except queue.Empty:
            raise StateFailure(TIMEOUT) from None
        if error is not None:
            raise error
        return result

    def _check_size(self, result: Any) -> None:  # noqa: ANN401 - any JSON value
        if json_size(result) > _DATA_LIMIT:
            raise StateFailure(
                "States.DataLimitExceeded",
                f"The state/task '{self._step.state['Resource']}' returned a result with a size "
                "exceeding the maximum number of bytes service limit.",
            )


def _build_invocation(parameters: Mapping[str, Any]) -> Params:
    """Return parameters of ``lambda:invoke`` with the payload as text, by default ``{}``."""
    given = {key[0].upper() + key[1:]: value for key, value in parameters.items()}
    value = given.get("Payload", {})
    return {**given, "Payload": value if isinstance(value, str) else to_json(value)}


def _read_payload(answer: Params) -> Any:  # noqa: ANN401 - any JSON value
    """Return the payload of an invocation.

    Raises:
        Failure: The function failed; the error is the class of its exception.
    """
    text = bytes(answer.get("Payload", b"")).decode(errors="replace")
    try:
        value = json.loads(text) if text else None
    except ValueError:
        value = text
    if not answer.get("FunctionError"):
        return value
    error = value.get("errorType", "Exception") if isinstance(value, dict) else "Exception"
    raise StateFailure(error, text)


def _prepare_parameters(resource: TaskResource, given: Params) -> Params:
    """Return parameters as the service takes them: JSON where it wants text."""
    if resource.service == "states":
        return {
            "name": str(uuid.uuid4()),
            **{key[0].lower() + key[1:]: value for key, value in given.items()},
            "input": to_json(given.get("Input", given.get("input", {}))),
        }
    if resource.service == "events":
        entries = given.get("Entries", [])
        told = [{**e, "Detail": _to_text(e["Detail"])} if "Detail" in e else e for e in entries]
        return {**given, "Entries": told}
    texts = ("MessageBody", "Message")
    return {key: _to_text(value) if key in texts else value for key, value in given.items()}


def _to_text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, str) else to_json(value)


def _capitalize_keys(resource: TaskResource, answer: Params) -> Params:
    if resource.service != "states":
        return answer
    return {key[0].upper() + key[1:]: value for key, value in answer.items()}


def _without_metadata(answer: Params) -> Params:
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def _with_metadata(answer: Params) -> Params:
    """Return an answer with its HTTP metadata as optimized integrations show it."""
    found = answer.get("ResponseMetadata", {})
    request, headers = str(found.get("RequestId") or uuid.uuid4()), found.get("HTTPHeaders", {})
    shown = {key: str(value) for key, value in headers.items() if key != "x-amzn-requestid"}
    shown["x-amzn-RequestId"] = request
    return {
        **_without_metadata(answer),
        "SdkHttpMetadata": {
            "AllHttpHeaders": {key: [value] for key, value in shown.items()},
            "HttpHeaders": shown,
            "HttpStatusCode": found.get("HTTPStatusCode", 200),
        },
        "SdkResponseMetadata": {"RequestId": request},
    }


def _format_execution(found: Params, *, parsed: bool) -> Params:
    """Return an execution as ``startExecution.sync`` does; ``.sync:2`` parses input and output."""
    made: Params = {}
    for key, value in found.items():
        name = key[0].upper() + key[1:]
        if isinstance(value, float | dt.datetime):
            seconds = value if isinstance(value, float) else value.timestamp()
            made[name] = int(seconds * 1000)
        elif key in ("input", "output") and parsed:
            made[name] = json.loads(value)
        else:
            made[name] = value
    return made
