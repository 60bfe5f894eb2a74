"""Test cases: the failure of one state as a pytest file and as a TestState call.

The pytest file replays the state's input against the handler of its Lambda function, offline: AWS's
answers are those that the failure tells of. The call is a request of TestState (Step Functions API
reference) with the failure as its mock, for ``aws stepfunctions test-state --cli-input-json``.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Any, Final

from workflow.causes import Cause, read_cause
from workflow.errors import WorkflowError
from workflow.executions import Failure
from workflow.redaction import SAMPLE_IMAGE, redact, redact_text
from workflow.timelines import StateVisit

_OWN_HANDLERS: Final = ("serialize_image", "classify_image", "filter_inferences")
_CALLED: Final = re.compile(
    r"An error occurred \((?P<code>[^)]+)\) when calling the (?P<operation>\w+) operation"
    r"(?: \([^)]*\))?: (?P<message>.*)",
    re.DOTALL,
)
_OUTSIDE_HANDLER: Final = ("Runtime.", "Sandbox.", "Lambda.", "States.", "Silent.")
_MOCKABLE: Final = ("Task", "Map", "Parallel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What is exported: file texts by name. States that run no code have no pytest file."""

    files: Mapping[str, str]


def bundle(failure: Failure, visit: StateVisit, definition: str | None) -> Bundle:
    """Make the test cases of one failed state.

    Args:
        failure: Why the execution failed.
        visit: The visit of the state that failed; its input was recorded.
        definition: The definition the execution ran, None when unknown.

    Raises:
        WorkflowError: ``InputNotRecorded`` where the history holds no input of the state,
            ``NothingToReplay`` where there is neither code nor definition.
    """
    text = visit.payload or visit.input
    if text is None:
        raise WorkflowError(
            "InputNotRecorded",
            f"The history holds no input of {visit.name!r}, so there is nothing to replay.",
            "Take another execution of the group, or read its whole history.",
        )
    cause = read_cause(failure.error, failure.cause)
    name = f"{_slug(visit.name)}_{hashlib.sha256(failure.execution_arn.encode()).hexdigest()[:8]}"
    call = _test_state_call(failure, visit, definition)
    files = {f"{name}.test_state.json": f"{json.dumps(call, indent=2)}\n"} if call else {}
    handler = _handler(visit, cause)
    if handler:
        files[f"test_{name}.py"] = _pytest_file(failure, visit, cause, text, handler)
    if not files:
        raise WorkflowError(
            "NothingToReplay",
            f"{visit.name!r} runs no code, and the definition it belongs to is unknown.",
            "Export a test of an execution whose definition was recorded.",
        )
    return Bundle(files=files)


def _test_state_call(
    failure: Failure, visit: StateVisit, definition: str | None
) -> dict[str, Any] | None:
    """The request; the state goes alone, for TestState does not look into Map and Parallel."""
    state = _state(definition or "", visit.name)
    if state is None:
        return None
    call: dict[str, Any] = {
        "definition": json.dumps(redact(state)),
        "input": redact_text(visit.input or "{}"),
        "inspectionLevel": "DEBUG",
    }
    if visit.type in _MOCKABLE:
        error = {"error": failure.error, "cause": redact_text(failure.cause)}
        call["mock"] = {"errorOutput": error, "fieldValidationMode": "NONE"}
    return call


def _state(definition: str, name: str) -> dict[str, Any] | None:
    """A state of a definition, however deep, with the query language it is read in."""
    try:
        machine = json.loads(definition)
    except (ValueError, RecursionError):
        return None
    language = {"QueryLanguage": machine["QueryLanguage"]} if "QueryLanguage" in machine else {}
    ahead = [machine]
    while ahead:
        value = ahead.pop()
        if isinstance(value, dict):
            states = value.get("States")
            if isinstance(states, dict) and isinstance(states.get(name), dict):
                return {**language, **states[name]}
            ahead += value.values()
        elif isinstance(value, list):
            ahead += value
    return None


def _handler(visit: StateVisit, cause: Cause) -> tuple[str, str] | None:
    """Module and function behind a Task: by the stack, else ours by name, else Lambda's default."""
    if visit.type != "Task":
        return None
    if cause.entry_frame and cause.entry_frame[0].endswith(".py"):
        file, function = cause.entry_frame
        return file.removesuffix(".py").replace("/", "."), function
    called = _folded(f"{visit.name} {(visit.resource or '').rpartition(':function:')[2]}")
    own = next((name for name in _OWN_HANDLERS if _folded(name) in called), None)
    return (f"lambdas.{own}.handler", "handler") if own else ("lambda_function", "lambda_handler")


def _pytest_file(
    failure: Failure, visit: StateVisit, cause: Cause, text: str, handler: tuple[str, str]
) -> str:
    outside = cause.error.startswith(_OUTSIDE_HANDLER) or failure.kind is not None
    event = redact(json.loads(text))
    if cause.error != "ImageChanged":
        event = _with_sample_reference(event)
    return _FILE.substitute(
        state=json.dumps(visit.name),
        module=json.dumps(handler[0]),
        function=json.dumps(handler[1]),
        error=repr(None if outside else cause.error),
        told=json.dumps(redact_text(f"{cause.error}: {cause.message}")),
        event=json.dumps(event, indent=4),
        answers=json.dumps(_answers(cause), indent=4),
    )


def _with_sample_reference(event: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    """The event with its reference to an image in S3 pointing at the sample image."""
    if not isinstance(event, Mapping) or not isinstance(event.get("image_ref"), Mapping):
        return event
    digest = hashlib.sha256(SAMPLE_IMAGE).hexdigest()
    reference = {**event["image_ref"], "sha256": digest, "size": len(SAMPLE_IMAGE)}
    return {**event, "image_ref": reference}


def _answers(cause: Cause) -> dict[str, Any]:
    """What AWS answers, by operation: success, but for what the failure tells of."""
    image = base64.b64encode(SAMPLE_IMAGE).decode()
    answers: dict[str, Any] = {
        "HeadObject": {"Body": image},
        "GetObject": {"Body": image},
        "InvokeEndpoint": {"Body": base64.b64encode(b"[0.98, 0.02]").decode()},
    }
    called = _CALLED.search(cause.message)
    if called:
        answers[called["operation"]] = _refusal(called["code"], redact_text(called["message"]))
    return answers | _ANSWERS.get(cause.error, {})


def _refusal(code: str, message: str = "", status: int = 400) -> dict[str, Any]:
    return {"Error": {"Code": code, "Message": message}, "OriginalStatusCode": status}


_ANSWERS: Final = {
    "ImageNotFound": {"GetObject": _refusal("NoSuchKey")},
    "ImageAccessDenied": {"GetObject": _refusal("AccessDenied")},
    "ImageTooLarge": {"GetObject": {"Body": "", "ContentLength": 7_000_000}},
    "NotAnImage": {"GetObject": {"Body": base64.b64encode(b"GIF89a, no PNG").decode()}},
    "StorageUnavailable": {"GetObject": _refusal("SlowDown")},
    "EndpointNotFound": {"InvokeEndpoint": _refusal("ValidationError", "Endpoint x not found.")},
    "EndpointAccessDenied": {"InvokeEndpoint": _refusal("AccessDeniedException")},
    "EndpointUnavailable": {"InvokeEndpoint": _refusal("ModelError", status=500)},
    "ModelRejected": {"InvokeEndpoint": _refusal("ModelError", status=400)},
    "BadInference": {"InvokeEndpoint": {"Body": base64.b64encode(b"[0.98]").decode()}},
}
"""What AWS must have answered for the errors of ``workflow.contract``."""


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "state"


_FILE: Final = Template('''\
"""Replays one failure of a state against its handler. Exported by the Failures page.

It runs offline: ANSWERS is what AWS answered, as far as the failure tells. Secrets, image bytes and
account ids were replaced. While the failure is there, the test passes; once it is repaired, set
EXPECTED_ERROR to None, and the test demands an answer.
"""

import base64
import importlib
import io
import json

import botocore.client
import botocore.exceptions
import pytest

STATE = $state
TOLD = $told
EXPECTED_ERROR = $error

EVENT = json.loads(r"""
$event
""")

ANSWERS = json.loads(r"""
$answers
""")


class Context:
    aws_request_id = "00000000-0000-0000-0000-000000000000"
    function_name = "replay"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:replay"

    def get_remaining_time_in_millis(self):
        return 60_000


def answer(client, operation, parameters):
    given = ANSWERS.get(operation)
    if given is None:
        pytest.fail(f"The handler called {operation}: add its answer to ANSWERS.")
    if "Error" in given:
        raise botocore.exceptions.ClientError(given, operation)
    body = base64.b64decode(given["Body"])
    return {"ContentLength": len(body), "ETag": "", **given, "Body": io.BytesIO(body)}


@pytest.fixture
def handler(monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "replay",
        "AWS_SECRET_ACCESS_KEY": "replay",
        "AWS_DEFAULT_REGION": "us-east-1",
        "SCONES_ENDPOINT": "replay",
        "SCONES_THRESHOLD": "0.93",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", answer)
    try:
        module = importlib.import_module($module)
    except ModuleNotFoundError as error:
        pytest.skip(f"Put the function's code on the path: {error}.")
    return getattr(module, $function)


def error_name(error):
    code = getattr(error, "response", {}).get("Error", {}).get("Code")
    return EXPECTED_ERROR if EXPECTED_ERROR in (type(error).__name__, code) else repr(error)


def test_replays_the_failure(handler):
    if EXPECTED_ERROR is None:
        result = handler(EVENT, Context())
        assert "error" not in result, TOLD
        assert int(result.get("statusCode", 200)) < 400, TOLD
        return
    with pytest.raises(Exception) as caught:
        handler(EVENT, Context())
    assert error_name(caught.value) == EXPECTED_ERROR, TOLD
''')
