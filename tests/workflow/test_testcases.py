"""A failure becomes a test that runs as exported and replays it, without its secrets."""

import ast
import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET  # the report is our own pytest's

import botocore.session
import pytest
from botocore.validate import validate_parameters
from hypothesis import example, given
from hypothesis import strategies as st

from tests.builders import png
from tests.workflow.histories import START, failure, lambda_cause
from workflow.errors import WorkflowError
from workflow.executions import Failure, Kind
from workflow.redaction import redact
from workflow.testcases import bundle
from workflow.timelines import StateVisit

ROOT = Path(__file__).parents[2]
DEFINITION = (ROOT / "step_function.json").read_text()
PLACE = {"s3_bucket": "photos", "s3_key": "bike.png", "image_data": "", "inferences": []}
INLINE: dict[str, Any] = PLACE | {"image_data": base64.b64encode(png()).decode()}
REFERRED = PLACE | {"image_ref": {"size": 9, "sha256": "0" * 64, "content_type": "image/png"}}
DENIED = "An error occurred (AccessDenied) when calling the GetObject operation: Access Denied"


def visit(name: str, state: object, **changes: Any) -> StateVisit:
    known: dict[str, Any] = {"event_id": 2, "name": name, "type": "Task", "entered_at": START}
    return StateVisit(**(known | {"input": json.dumps(state)} | changes))


def exported(failed: Failure, visited: StateVisit, definition: str | None = None) -> str:
    """The pytest file of the bundle."""
    files = bundle(failed, visited, definition).files
    return next(text for name, text in files.items() if name.endswith(".py"))


REPLAYS: Mapping[str, tuple[Failure, StateVisit]] = {
    f"{name}-{error}": (failure(error=error, cause=cause, state=name), visit(name, state))
    for name, error, state, cause in (
        ("SerializeImage", "ImageNotFound", PLACE, "told"),
        ("SerializeImage", "ImageAccessDenied", PLACE, "told"),
        ("SerializeImage", "ImageTooLarge", PLACE, "told"),
        ("SerializeImage", "NotAnImage", PLACE, "told"),
        ("SerializeImage", "StorageUnavailable", PLACE, "told"),
        ("SerializeImage", "InvalidInput", {"s3_key": "bike.png"}, "told"),
        ("SerializeImage", "Sandbox.Timedout", PLACE, "timed out"),
        ("ClassifyImage", "EndpointNotFound", INLINE, "told"),
        ("ClassifyImage", "EndpointAccessDenied", INLINE, "told"),
        ("ClassifyImage", "EndpointUnavailable", REFERRED, "told"),
        ("ClassifyImage", "ModelRejected", INLINE, "told"),
        ("ClassifyImage", "BadInference", INLINE, "told"),
        ("ClassifyImage", "ImageChanged", REFERRED, "told"),
        ("ClassifyImage", "NotAnImage", PLACE | {"image_data": "%%%"}, "told"),
        ("FilterInferences", "BadInference", INLINE, "told"),
        ("FilterInferences", "InvalidInput", "just text", "told"),
    )
}
"""Failures of our own functions, and what their states got."""

FOREIGN_CODE = """
import boto3


def lambda_handler(event, context):
    if "answer" in event:
        return event["answer"]
    return boto3.client("s3").get_object(Bucket=event["b"], Key=event["k"])["nothing"]
"""

FOREIGN = {
    "a_refusal": (
        failure(error="ClientError", cause=lambda_cause(DENIED, "ClientError")),
        visit("Read", {"b": "b", "k": "k"}),
    ),
    "a_bug": (
        failure(error="KeyError", cause=lambda_cause("'nothing'")),
        visit("Read", {"other": 1}, payload='{"b": "b", "k": "k"}'),
    ),
}


def run(folder: Path) -> dict[str, str]:
    """Run what lies in a folder, and say of each file whether it passed, failed or was skipped."""
    report = folder / "report.xml"
    path = os.pathsep.join((str(ROOT), str(folder)))
    options = ("-q", "-p", "no:cacheprovider", "--rootdir", str(folder), f"--junit-xml={report}")
    subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        check=False,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": path},
        timeout=120,
    )
    return {
        case.attrib["classname"]: next((child.tag for child in case), "passed")
        for case in ET.parse(report).iter("testcase")  # noqa: S314 - our own pytest wrote it
    }


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("exported")
    (folder / "lambda_function.py").write_text(FOREIGN_CODE)
    for name, (failed, visited) in {**REPLAYS, **FOREIGN}.items():
        module = "".join(letter if letter.isalnum() else "_" for letter in name)
        (folder / f"test_{module}.py").write_text(exported(failed, visited))
    fixed = exported(*FOREIGN["a_bug"]).replace(
        "EXPECTED_ERROR = 'KeyError'", "EXPECTED_ERROR = None"
    )
    (folder / "test_still_broken.py").write_text(fixed)
    silent = failure(error="Silent.ErrorInOutput", cause="no", kind=Kind.SILENT)
    (folder / "test_silent.py").write_text(
        exported(silent, visit("Read", {"answer": {"error": "no"}}))
    )
    repaired = exported(silent, visit("Read", {"answer": {"statusCode": 200}}))
    (folder / "test_repaired.py").write_text(repaired)
    return run(folder)


@pytest.mark.process
@pytest.mark.parametrize("name", [*REPLAYS, *FOREIGN])
def test_an_exported_test_replays_its_failure(replayed: dict[str, str], name: str) -> None:
    module = "".join(letter if letter.isalnum() else "_" for letter in name)

    assert replayed[f"test_{module}"] == "passed"


@pytest.mark.process
def test_once_no_error_is_expected_only_the_repaired_passes(replayed: dict[str, str]) -> None:
    assert replayed["test_still_broken"] == "failure"
    assert replayed["test_silent"] == "failure"
    assert replayed["test_repaired"] == "passed"


@pytest.mark.process
def test_code_that_is_not_there_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(exported(*FOREIGN["a_bug"]))

    assert run(tmp_path) == {"test_it": "skipped"}


def test_nothing_secret_is_exported() -> None:
    state = INLINE | {"api_key": "hunter2", "role": "arn:aws:iam::999988887777:role/x"}
    failed = failure(cause=lambda_cause("hunter2? arn:aws:iam::999988887777:role/x Bearer hunter2"))
    definition = DEFINITION.replace("${ClassifyImageArn}", "arn:aws:lambda:::999988887777:f")

    files = bundle(failed, visit("ClassifyImage", state), definition).files

    everything = "\n".join(files.values())
    assert len(files) == 2
    assert "999988887777" not in everything
    assert "Bearer hunter2" not in everything
    assert '"hunter2"' not in everything
    assert INLINE["image_data"] not in everything


def test_the_call_is_one_that_test_state_takes() -> None:
    files = bundle(*REPLAYS["ClassifyImage-BadInference"], DEFINITION).files
    call = json.loads(next(text for name, text in files.items() if name.endswith(".json")))

    model = botocore.session.get_session().get_service_model("stepfunctions")
    shape = model.operation_model("TestState").input_shape
    assert shape is not None
    validate_parameters(call, shape)
    assert call["mock"]["errorOutput"]["error"] == "BadInference"
    assert json.loads(call["definition"])["Next"] == "FilterInferences"


def test_a_state_within_a_map_is_found_with_the_language_of_the_machine() -> None:
    inner = {"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "End": True}}}
    branches = [{"StartAt": "X", "States": {"X": {"Type": "Map", "ItemProcessor": inner}}}]
    states = {"Both": {"Type": "Parallel", "Branches": branches, "End": True}}
    definition = json.dumps({"QueryLanguage": "JSONata", "StartAt": "Both", "States": states})

    files = bundle(failure(), visit("Ask", {}), definition).files

    call = json.loads(next(text for name, text in files.items() if name.endswith(".json")))
    assert json.loads(call["definition"]) == {
        "QueryLanguage": "JSONata",
        "Type": "Task",
        "End": True,
    }


@pytest.mark.parametrize("definition", [None, "", "{", "[]", '{"States": {"Other": {}}}'])
def test_without_the_state_in_a_definition_there_is_only_the_replay(definition: str | None) -> None:
    (name,) = bundle(failure(), visit("Ask", {}), definition).files

    assert name.endswith(".py")


def test_a_state_that_runs_no_code_has_its_call_only() -> None:
    failed = failure(error="States.NoChoiceMatched", cause="no")
    visited = visit("MeetsThreshold", PLACE, type="Choice")

    (name,) = bundle(failed, visited, DEFINITION).files

    call = json.loads(bundle(failed, visited, DEFINITION).files[name])
    assert name.startswith("meetsthreshold_")
    assert "mock" not in call


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"input": None}, "InputNotRecorded"),
        ({"input": '{"cut'}, "InputNotReadable"),
        ({"input": "[" * 100_000}, "InputNotReadable"),
        ({"type": "Choice"}, "NothingToReplay"),
    ],
)
def test_what_cannot_be_replayed_is_said(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        bundle(failure(), visit("X", PLACE, **changes), None)

    assert caught.value.code == code


def test_an_unknown_function_is_looked_for_under_lambdas_default_name() -> None:
    unknown = failure(error="States.Timeout", cause="")

    text = exported(
        unknown, visit("Ask", 'tricky """ \\ text', resource="arn:aws:lambda:::function:x")
    )

    assert "import_module('lambda_function')" in text
    assert "getattr(module, 'lambda_handler')" in text
    compile(text, "exported", "exec")


def test_our_functions_are_known_by_the_arn_that_the_state_calls() -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:scones-dev-classify-image:7"

    text = exported(failure(error="E", cause="c"), visit("Ask", {}, resource=arn))

    assert "import_module('lambdas.classify_image.handler')" in text


PLAIN = ast.parse(exported(failure(error="E", cause=lambda_cause("m", "E")), visit("Ask", {})))


def shape(tree: ast.AST) -> str:
    """A program without its literals: what it does, whatever the data are."""

    class Blank(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.Constant:
            return ast.copy_location(ast.Constant("" if isinstance(node.value, str) else 0), node)

    return ast.dump(Blank().visit(ast.parse(ast.unparse(tree))))


ATTACKS = (
    '"""\nimport os; os.system("x")\n"""',
    "'''\nimport os\n'''",
    'x\\"""+__import__("os").system("x")+r"""',
    "\\",
    "\\\\N{BULLET}",
    "a\r\nimport os",
    "a\u2028import os\u2029b\x85c\x0bd\x0ce",
    "\x00\x1a",
    "\u202eos tropmi\u2066",
    "$state ${event} $$",
    "{0} %s {{x}}",
    "\ud800\udfff",
    "# -*- coding: utf-7 -*-",
    "\ufeff",
)
written = st.one_of(st.sampled_from(ATTACKS), st.text(max_size=30)) | st.text(
    "\"'\\\n\r$`#(){}\x00\u2028", max_size=30
)


@given(written, written, written, written, st.dictionaries(written, written, max_size=3))
@example(ATTACKS[0], ATTACKS[1], ATTACKS[2], ATTACKS[6], {ATTACKS[2]: ATTACKS[7]})
def test_what_others_wrote_is_data_of_the_exported_test_and_never_code(
    name: str, error: str, message: str, frame: str, state: dict[str, str]
) -> None:
    frames = [f'  File "/var/task/{frame}.py", line 1, in {frame}\n    {frame}\n']
    failed = failure(error=error, cause=lambda_cause(message, error, frames=frames), state=name)

    files = bundle(failed, visit(name, state), DEFINITION).files

    (text,) = (text for file, text in files.items() if file.endswith(".py"))
    assert text.isascii()
    assert "\0" not in text
    assert all(file.isascii() and "/" not in file and ".." not in file for file in files)
    if not error.startswith(("Runtime.", "Sandbox.", "Lambda.", "States.", "Silent.")):
        assert shape(ast.parse(text)) == shape(PLAIN)


@given(st.recursive(written, lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_the_exported_event_is_the_recorded_one(value: object) -> None:
    state = {"note": value}
    text = exported(failure(error="E", cause="c"), visit("Ask", state))
    (event,) = (
        ast.literal_eval(node.value.args[0])
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "EVENT"
        and isinstance(node.value, ast.Call)
    )

    assert json.loads(event) == redact(json.loads(json.dumps(state)))


@pytest.mark.parametrize(
    ("file", "function"),
    [
        ("cProfile.py", "run"),
        ("os.py", "system"),
        ("builtins.py", "exec"),
        ("deploy/apply.py", "main"),
        ("../../etc/evil.py", "handler"),
        ("a b.py", "handler"),
        ("function.py", "__import__"),
        ("function.py", 'f"); import os; ("'),
    ],
)
def test_a_stack_frame_cannot_choose_what_the_test_calls(file: str, function: str) -> None:
    frames = [f'  File "/var/task/{file}", line 1, in {function}\n    x\n']
    failed = failure(error="E", cause=lambda_cause("m", "E", frames=frames))

    text = exported(failed, visit("Ask", "__import__('os').system('x')"))

    assert f"getattr(module, {function!r})" not in text
    assert "getattr(module, 'lambda_handler')" in text


@pytest.mark.process
def test_a_library_that_is_installed_is_not_called(tmp_path: Path) -> None:
    frames = ['  File "/var/task/pandas/core/computation/eval.py", line 1, in eval\n    x\n']
    failed = failure(error="E", cause=lambda_cause("m", "E", frames=frames))

    (tmp_path / "test_it.py").write_text(exported(failed, visit("Ask", "1 + 1")))

    assert run(tmp_path) == {"test_it": "skipped"}
