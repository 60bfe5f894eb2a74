"""Lambda's runtime and the model server, called in this process: what they answer and how."""

import decimal
import io
import json
import logging
import math
import sys
import time
from typing import Any, NamedTuple

import pytest

from localcloud import inference_worker, pipes, runtime_logs, worker


@pytest.fixture(autouse=True)
def runtime(monkeypatch):
    """What the configuration of a function names."""
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")


@pytest.fixture
def task(tmp_path, monkeypatch):
    """Writes a handler's module and makes it importable, as if its folder were /var/task."""
    monkeypatch.setattr(worker, "_TASK_ROOT", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name, source):
        (tmp_path / f"{name}.py").write_text(source)
        return f"{name}.handler"

    return write


def context(seconds=3.0):
    return worker.LambdaContext({"seconds": seconds, "aws_request_id": "r-1"})


def test_a_context_counts_down():
    assert 2000 < context().get_remaining_time_in_millis() <= 3000
    assert context(-1.0).get_remaining_time_in_millis() == 0


def test_a_context_counts_down_though_the_wall_clock_is_set(monkeypatch):
    counting = context()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 2000 < counting.get_remaining_time_in_millis() <= 3000


def test_a_result_is_json(task):
    handler = worker.load_handler(
        task("fine", "def handler(e, c):\n    return [e, c.aws_request_id]\n")
    )
    assert worker.run_handler(handler, b'{"a": 1}', context()) == (b"result", b'[{"a": 1}, "r-1"]')


def test_an_exception_becomes_an_error_with_its_frames(task, tmp_path):
    source = "import json\ndef handler(e, c):\n    json.loads(e['label'])\n"
    handler = worker.load_handler(task("broken", source))
    failure: Any = worker.run_handler(handler, b'{"label": "no json"}', context())
    assert failure["errorType"] == "JSONDecodeError"
    assert failure["errorMessage"].startswith("Expecting value")
    assert failure["requestId"] == "r-1"
    files = [line.split('"')[1] for line in failure["stackTrace"]]
    assert files[0] == f"{tmp_path}/broken.py"
    assert {file.rpartition("/")[0] for file in files[1:]} == {"/var/lang/lib/python3.13/json"}


class Point(NamedTuple):
    x: int
    y: int


@pytest.mark.parametrize(
    ("result", "payload"),
    [
        ({"image": b"aGk="}, b'{"image": "aGk="}'),
        ({b"key": (1, 2)}, b'{"key": [1, 2]}'),
        ({"price": decimal.Decimal("1.10")}, b'{"price": 1.10}'),
        ({"count": decimal.Decimal(3)}, b'{"count": 3}'),
        ({"at": Point(1, 2)}, b'{"at": {"x": 1, "y": 2}}'),
        ("größer", '"größer"'.encode()),
        ([math.nan, decimal.Decimal("NaN")], b"[NaN, NaN]"),
        (b"raw bytes", b"raw bytes"),
    ],
)
def test_results_are_marshalled_as_by_aws(result, payload):
    assert worker.run_handler(lambda _event, _context: result, b"{}", context()) == (
        b"result",
        payload,
    )


def test_runtimes_before_python_3_12_answer_in_ascii(monkeypatch):
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.11")
    answer = worker.run_handler(lambda _event, _context: "größer", b"{}", context())
    assert answer == (b"result", b'"gr\\u00f6\\u00dfer"')


@pytest.mark.parametrize("result", [{1}, {"body": object()}, {"data": b"\xff"}])
def test_a_result_that_is_not_json_is_a_marshal_error(result):
    failure: Any = worker.run_handler(lambda _event, _context: result, b"{}", context())
    assert failure["errorType"] == "Runtime.MarshalError"
    assert failure["errorMessage"].startswith("Unable to marshal response: ")


@pytest.mark.parametrize(
    ("name", "source", "kind"),
    [
        ("absent", "import there_is_no_such_module\n", "Runtime.ImportModuleError"),
        ("crooked", "def handler(\n", "Runtime.UserCodeSyntaxError"),
        ("empty", "", "Runtime.HandlerNotFound"),
        ("raising", "1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_a_handler_that_cannot_be_loaded_is_named_as_aws_names_it(
    task, tmp_path, name, source, kind
):
    handler = task(name, source)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - modules raise anything
        worker.load_handler(handler)
    failure = worker.describe_failure(caught.value)
    assert (failure["errorType"], failure["requestId"]) == (kind, "")
    if kind == "ZeroDivisionError":
        (line,) = failure["stackTrace"]
        assert line.startswith(f'  File "{tmp_path}/raising.py", line 1, in <module>')


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("nodot", "Runtime.MalformedHandlerName", "Bad handler 'nodot': not enough values"),
        ("sys.handler", "Runtime.BuiltInModuleConflict", "Cannot use built-in module sys"),
    ],
)
def test_a_handler_name_that_cannot_be_is_refused(name, kind, text):
    with pytest.raises(worker.RuntimeFault, match=text) as caught:
        worker.load_handler(name)
    assert caught.value.kind == kind


def record(level, message, *args, exc_info=None):
    return logging.LogRecord("n", level, "/var/task/f.py", 1, message, args, exc_info, "handler")


def test_log_records_are_written_as_the_runtime_writes_them(capsys):
    logs = runtime_logs.RuntimeLogs(worker.visible_frames)
    logs.request_id = "r-1"
    logs.emit(record(logging.WARNING, "careful"))
    line = capsys.readouterr().err
    assert line.startswith("[WARNING]\t")
    assert line.endswith("Z\tr-1\tcareful\n")


def test_log_records_are_json_where_the_function_says_so(capsys, monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_LOG_FORMAT", "JSON")
    logs = runtime_logs.RuntimeLogs(worker.visible_frames)
    logs.request_id = "r-1"
    logs.emit(vars_added(record(logging.INFO, "%s images", 3), bucket="b"))
    try:
        dict[str, str]()["label"]
    except KeyError:
        logs.emit(record(logging.ERROR, "failed", exc_info=sys.exc_info()))
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "level": "INFO", "message": "3 images", "logger": "n", "requestId": "r-1", "bucket": "b",
    }  # fmt: skip
    assert (second["errorType"], second["errorMessage"]) == ("KeyError", "'label'")
    assert second["location"] == "/var/task/f.py:handler:1"
    assert len(second["stackTrace"]) == 1


def vars_added(record, **extra):
    vars(record).update(extra)
    return record


def test_frames_are_read_back_as_they_were_written():
    pipe = io.BytesIO()
    pipes.write_frames(pipe, b"one", b"")
    pipe.seek(0)
    assert [pipes.read_frame(pipe), pipes.read_frame(pipe), pipes.read_frame(pipe)] == [
        b"one",
        b"",
        None,
    ]


MODEL = """
class Refused(Exception):
    status_code = 413
def model_fn(model_dir):
    return 2
def input_fn(body, content_type):
    if body == b"large":
        raise Refused("too many pixels")
    return int(body)
def predict_fn(data, model):
    return data * model
def output_fn(prediction, accept):
    return str(prediction), "text/plain"
"""


@pytest.fixture
def model(tmp_path, monkeypatch):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "inference.py").write_text(MODEL)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "inference", raising=False)
    yield inference_worker.load_module(tmp_path)
    del sys.modules["inference"]


def test_a_model_answers_through_its_four_functions(model):
    head = {"content_type": "text/plain", "accept": "text/plain"}
    answer = inference_worker.answer_request(model, model.model_fn(""), head, b"21")
    assert answer == (200, "text/plain", b"42")


@pytest.mark.parametrize(
    ("body", "expected", "sentence"),
    [(b"large", 413, b"too many pixels\n"), (b"no number", 500, b"invalid literal for int()")],
)
def test_a_refusal_or_crash_of_the_model_is_its_sentence_and_traceback(
    model, body, expected, sentence
):
    head = {"content_type": "text/plain", "accept": "text/plain"}
    status, _, text = inference_worker.answer_request(model, 2, head, body)
    assert status == expected
    assert text.startswith(sentence)
    assert b"Traceback (most recent call last):\n" in text
    assert b"inference.py" in text
    assert b"inference_worker.py" not in text


def test_an_archive_without_code_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no code/inference\.py"):
        inference_worker.load_module(tmp_path)
