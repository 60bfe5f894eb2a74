"""Lambda's runtime and the model server, called in this process: what they answer and how."""

import io
import json
import logging
import sys
import time

import pytest

from localcloud import inference_worker, worker


@pytest.fixture
def task(tmp_path, monkeypatch):
    """Writes a handler's module and makes it importable."""
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name, source):
        (tmp_path / f"{name}.py").write_text(source)
        return f"{name}.handler"

    return write


def context(seconds=3.0):
    return worker.Context({"deadline": time.time() + seconds, "aws_request_id": "r-1"})


def test_a_context_counts_down():
    assert 2000 < context().get_remaining_time_in_millis() <= 3000
    assert context(-1.0).get_remaining_time_in_millis() == 0


def test_a_result_is_json(task):
    handler = worker.load(task("fine", "def handler(e, c):\n    return [e, c.aws_request_id]\n"))
    assert worker.answer(handler, b'{"a": 1}', context()) == (b"result", b'[{"a": 1}, "r-1"]')


def test_an_exception_becomes_an_error_with_its_frames(task, capsys):
    source = "def handler(e, c):\n    raise KeyError('label')\n"
    kind, payload = worker.answer(worker.load(task("broken", source)), b"{}", context())
    failure = json.loads(payload)
    assert kind == b"error"
    assert (failure["errorType"], failure["errorMessage"]) == ("KeyError", "'label'")
    assert failure["requestId"] == "r-1"
    assert failure["stackTrace"][0].startswith('  File "/var/task/broken.py", line 2, in handler')
    assert "[ERROR] KeyError: 'label'" in capsys.readouterr().err


def test_a_result_that_is_not_json_is_a_marshal_error():
    kind, payload = worker.answer(lambda _event, _context: {1}, b"{}", context())
    assert (kind, json.loads(payload)["errorType"]) == (b"error", "Runtime.MarshalError")


@pytest.mark.parametrize(
    ("name", "source", "kind"),
    [
        ("absent", "import there_is_no_such_module\n", "Runtime.ImportModuleError"),
        ("crooked", "def handler(\n", "Runtime.UserCodeSyntaxError"),
        ("empty", "", "Runtime.HandlerNotFound"),
        ("raising", "1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_a_handler_that_cannot_be_loaded_is_named_as_aws_names_it(task, name, source, kind):
    handler = task(name, source)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - modules raise anything
        worker.load(handler)
    failure = worker.init_failure(handler, caught.value)
    assert failure["errorType"] == kind
    if kind == "ZeroDivisionError":
        assert "/var/task/raising.py" in failure["stackTrace"][-1]


def test_log_records_are_written_as_the_runtime_writes_them(capsys):
    logs = worker._Logs()
    logs.request_id = "r-1"
    logs.emit(logging.LogRecord("n", logging.WARNING, "f", 1, "careful", None, None))
    line = capsys.readouterr().err
    assert line.startswith("[WARNING]\t")
    assert line.endswith("Z\tr-1\tcareful\n")


def test_frames_are_read_back_as_they_were_written():
    pipe = io.BytesIO()
    worker._write(pipe, b"one", b"")
    pipe.seek(0)
    assert [worker._read(pipe), worker._read(pipe), worker._read(pipe)] == [b"one", b"", None]


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
    yield inference_worker.load(tmp_path)
    del sys.modules["inference"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"21", (200, "text/plain", b"42")),
        (b"large", (413, "text/plain", b"too many pixels")),
    ],
)
def test_a_model_answers_through_its_four_functions(model, body, expected):
    head = {"content_type": "text/plain", "accept": "text/plain"}
    assert inference_worker.answer(model, model.model_fn(""), head, body) == expected


def test_a_crash_of_the_model_is_a_500_with_its_traceback(model):
    head = {"content_type": "text/plain", "accept": "text/plain"}
    status, _, text = inference_worker.answer(model, 2, head, b"no number")
    assert status == 500
    assert b"ValueError" in text


def test_an_archive_without_code_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no code/inference\.py"):
        inference_worker.load(tmp_path)
