"""Test cases: the failure of one state as a pytest file and as a TestState call.

The pytest file replays the state's input against the handler of its Lambda function, offline: AWS's
answers are those that the failure tells of. What others wrote (inputs, messages, frames) is in
the file as ASCII literals only, so it never becomes code. The call is a request of TestState (Step
Functions API reference) with the failure as its mock, for
``aws stepfunctions test-state --cli-input-json``.
"""

import base64
import hashlib
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Any, Final

from workflow.causes import Cause, read_cause
from workflow.errors import WorkflowError
from workflow.executions import Failure
from workflow.redaction import redact, redact_text
from workflow.secret_forms import SAMPLE_IMAGE
from workflow.timelines import StateVisit

_OWN_HANDLERS: Final = ("serialize_image", "classify_image", "filter_inferences")
_CALLED: Final = re.compile(
    r"An error occurred \((?P<code>[^)]+)\) when calling the (?P<operation>\w+) operation"
    r"(?: \([^)]*\))?: (?P<message>.*)",
    re.DOTALL,
)
_OUTSIDE_HANDLER: Final = ("Runtime.", "Sandbox.", "Lambda.", "States.", "Silent.")
_MOCKABLE: Final = ("Task", "Map", "Parallel")
_NO_HANDLERS: Final = sys.stdlib_module_names | {
    "benchmarks",
    "dashboard",
    "deploy",
    "localcloud",
    "tests",
    "workflow",
}
"""Modules that a stack frame may name but that hold no handler; ``cProfile.run`` runs its input."""


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
    name = (
        f"{_file_slug(visit.name)}_{hashlib.sha256(failure.execution_arn.encode()).hexdigest()[:8]}"
    )
    call = _test_state_call(failure, visit, definition)
    files = {f"{name}.test_state.json": f"{json.dumps(call, indent=2)}\n"} if call else {}
    handler = _find_handler(visit, cause)
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
    """Return the request; the state goes alone, for TestState looks into no Map or Parallel."""
    state = _find_state(definition or "", visit.name)
    if state is None:
        return None
    call: dict[str, Any] = {
        "definition": json.dumps(redact(state)),
        "input": redact_text(visit.input or "{}"),
        "inspectionLevel": "DEBUG",
    }
    if visit.type in _MOCKABLE:
        error = {"error": redact_text(failure.error), "cause": redact_text(failure.cause)}
        call["mock"] = {"errorOutput": error, "fieldValidationMode": "NONE"}
    return call


def _find_state(definition: str, name: str) -> dict[str, Any] | None:
    """Return a state of a definition, however deep, with the query language it is read in."""
    try:
        machine = json.loads(definition)
    except (ValueError, RecursionError):
        return None
    if not isinstance(machine, dict):
        return None
    language = {"QueryLanguage": machine["QueryLanguage"]} if "QueryLanguage" in machine else {}
    ahead: list[Any] = [machine]
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


def _find_handler(visit: StateVisit, cause: Cause) -> tuple[str, str] | None:
    """Return module and function of a Task: by the stack, our own name, or Lambda's default."""
    if visit.type != "Task":
        return None
    told = _handler_in_stack(cause)
    if told:
        return told
    called = _normalise_name(f"{visit.name} {(visit.resource or '').rpartition(':function:')[2]}")
    own = next((name for name in _OWN_HANDLERS if _normalise_name(name) in called), None)
    return (f"lambdas.{own}.handler", "handler") if own else ("lambda_function", "lambda_handler")


def _handler_in_stack(cause: Cause) -> tuple[str, str] | None:
    """Return the handler that the stack names, if it can be one: the test imports and calls it."""
    file, function = cause.entry_frame or ("", "")
    module = file.removesuffix(".py").replace("/", ".")
    parts = module.split(".")
    names = all(name.isidentifier() and name.isascii() for name in (*parts, function))
    if not file.endswith(".py") or not names or parts[0] in _NO_HANDLERS:
        return None
    return None if function.startswith("__") else (module, function)


def _pytest_file(
    failure: Failure, visit: StateVisit, cause: Cause, text: str, handler: tuple[str, str]
) -> str:
    outside = cause.error.startswith(_OUTSIDE_HANDLER) or failure.kind is not None
    event = redact(_parse_event(text, visit.name))
    # That failure is a digest that differs: a fitting one would make the test pass.
    if cause.error != "ImageChanged":
        event = _with_sample_reference(event)
    return _FILE.substitute(
        state=ascii(redact_text(visit.name)),
        module=ascii(handler[0]),
        function=ascii(handler[1]),
        error=ascii(None if outside else redact_text(cause.error)),
        told=ascii(redact_text(f"{cause.error}: {cause.message}")),
        event=_format_literal(event),
        answers=_format_literal(_build_answers(cause)),
    )


def _parse_event(text: str, state: str) -> Any:  # noqa: ANN401 - JSON of any shape
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WorkflowError(
            "InputNotReadable",
            f"The recorded input of {state!r} is not JSON, so there is nothing to replay.",
            "Choose another execution of the group; histories cut inputs above 256 KiB.",
        ) from error


def _format_literal(value: Any) -> str:  # noqa: ANN401 - JSON of any shape
    """Return JSON as Python string literals, one a line, that ``json.loads`` takes."""
    lines = json.dumps(value, indent=4).splitlines(keepends=True)
    # ascii(): a foreign input must never end the literal and become code.
    return "\n".join(f"    {line!a}" for line in lines)


def _with_sample_reference(event: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    """Return the event with its reference to an image in S3 pointing at the sample image."""
    if not isinstance(event, Mapping) or not isinstance(event.get("image_ref"), Mapping):
        return event
    digest = hashlib.sha256(SAMPLE_IMAGE).hexdigest()
    reference = {**event["image_ref"], "sha256": digest, "size": len(SAMPLE_IMAGE)}
    return {**event, "image_ref": reference}


def _build_answers(cause: Cause) -> dict[str, Any]:
    """Return what AWS answers, by operation: success, but for what the failure tells of."""
    image = base64.b64encode(SAMPLE_IMAGE).decode()
    answers: dict[str, Any] = {
        "HeadObject": {"Body": image},
        "GetObject": {"Body": image},
        "InvokeEndpoint": {"Body": base64.b64encode(b"[0.98, 0.02]").decode()},
    }
    called = _CALLED.search(cause.message)
    if called:
        answers[called["operation"]] = _refusal_answer(
            called["code"], redact_text(called["message"])
        )
    return answers | _ANSWERS.get(cause.error, {})


def _refusal_answer(code: str, message: str = "", status: int = 400) -> dict[str, Any]:
    return {"Error": {"Code": code, "Message": message}, "OriginalStatusCode": status}


_ANSWERS: Final = {
    "ImageNotFound": {"GetObject": _refusal_answer("NoSuchKey")},
    "ImageAccessDenied": {"GetObject": _refusal_answer("AccessDenied")},
    "ImageTooLarge": {"GetObject": {"Body": "", "ContentLength": 7_000_000}},
    "NotAnImage": {"GetObject": {"Body": base64.b64encode(b"GIF89a, no PNG").decode()}},
    "StorageUnavailable": {"GetObject": _refusal_answer("SlowDown")},
    "EndpointNotFound": {
        "InvokeEndpoint": _refusal_answer("ValidationError", "Endpoint x not found.")
    },
    "EndpointAccessDenied": {"InvokeEndpoint": _refusal_answer("AccessDeniedException")},
    "EndpointUnavailable": {"InvokeEndpoint": _refusal_answer("ModelError", status=500)},
    "ModelRejected": {"InvokeEndpoint": _refusal_answer("ModelError", status=400)},
    "BadInference": {"InvokeEndpoint": {"Body": base64.b64encode(b"[0.98]").decode()}},
}
"""What AWS must have answered for the errors of ``workflow.contract``."""


def _normalise_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _file_slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "state"


_FILE: Final = Template('''\
"""Replays one failure of a state against its handler. Exported by the Failures page.

It runs offline: ANSWERS is what AWS answered, as far as the failure tells. Secrets, image bytes and
account ids were replaced. While the failure is there, the test passes; once it is repaired, set
EXPECTED_ERROR to None, and the test demands an answer.
"""

import base64
import importlib.util
import io
import json

import botocore.client
import botocore.exceptions
import pytest

STATE = $state
TOLD = $told
EXPECTED_ERROR = $error

EVENT = json.loads(
$event
)

ANSWERS = json.loads(
$answers
)


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
    found = importlib.util.find_spec($module.partition(".")[0])
    if found and "-packages" in f"{found.origin} {found.submodule_search_locations}":
        pytest.skip(f"{found.name} is an installed library, not the function's code.")
    try:
        module = importlib.import_module($module)
    except ModuleNotFoundError as error:
        pytest.skip(f"Put the function's code on the path: {error}.")
    return getattr(module, $function)


def error_name(error):
    code = (getattr(error, "response", None) or {}).get("Error", {}).get("Code")
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
