"""The model server of an endpoint: what the code of a model sees and cannot reach."""

import json
import os
import sys
from pathlib import Path

import pytest

from localcloud import container
from localcloud.container import Container, ContainerFailed

BELOW_TMP = sorted(
    {Path(path).parts[2] for path in container._LIBRARIES if path.startswith("/tmp/")}  # noqa: S108
)
"""What a checkout in /tmp leaves visible there: the way to its packages."""

# The model evaluates what it is sent: each test asks what it wants to know.
EVALUATE = """
import os
def attempt(function, *given):
    try:
        return function(*given)
    except Exception as error:
        return type(error).__name__
def model_fn(model_dir):
    return model_dir
def input_fn(body, content_type):
    return body.decode()
def predict_fn(data, model):
    return eval(data)
def output_fn(prediction, accept):
    import json
    return json.dumps(prediction), accept
"""


def packed(folder, code):
    (folder / "model" / "code").mkdir(parents=True)
    (folder / "model" / "code" / "inference.py").write_text(code)
    return folder / "model"


@pytest.fixture
def ask(tmp_path):
    """Evaluates an expression in the model server."""
    container = Container(packed(tmp_path, EVALUATE), {"MINE": "1"}, tmp_path / "containers")

    def evaluate(expression):
        answer, _ = container.answer_request(expression.encode(), "text/plain", "application/json")
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    yield evaluate
    container.close()
    assert list((tmp_path / "containers").iterdir()) == []


def test_a_model_sees_what_a_container_has(ask):
    assert ask("model") == "/opt/ml/model"
    assert ask("[__file__, os.getcwd()]") == [
        "/opt/ml/model/code/inference.py",
        "/opt/ml/model",
    ]
    assert ask("[os.environ['MINE'], os.path.expanduser('~'), os.listdir('/tmp')]") == [
        "1",
        "/tmp",  # noqa: S108 - its own
        BELOW_TMP,
    ]
    assert ask("attempt(lambda: __import__('numpy').arange(2).tolist())") == [0, 1]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only paths are kept apart")
def test_packages_below_tmp_are_seen(tmp_path, monkeypatch):
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "word.txt").write_text("seen")
    (tmp_path / "other.txt").write_text("hidden")
    monkeypatch.setattr(container, "_LIBRARIES", {*container._LIBRARIES, str(packages)})
    model = packed(tmp_path, EVALUATE)
    served = container.Container(model, {}, tmp_path / "containers")

    word, other = str(packages / "word.txt"), str(tmp_path / "other.txt")
    read = f"[open({word!r}).read(), os.path.exists({other!r})]"
    answer, _ = served.answer_request(read.encode(), "text/plain", "application/json")
    served.close()

    assert json.loads(answer.body) == ["seen", False]


def test_a_model_reaches_nothing_of_the_user(ask, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    found = ask(
        f"[attempt(open, {str(secret)!r}), attempt(open, '/proc/{os.getpid()}/environ'),"
        " attempt(open, '/opt/ml/model/new', 'w'), attempt(__import__, 'localcloud')]"
    )
    refused = {"FileNotFoundError", "PermissionError", "OSError", "ModuleNotFoundError"}
    assert set(found) <= refused


def test_a_model_that_does_not_load_says_why(tmp_path):
    with pytest.raises(ContainerFailed, match="ModuleNotFoundError: No module named 'absent'"):
        Container(packed(tmp_path, "import absent\n"), {}, tmp_path / "containers")
    assert list((tmp_path / "containers").iterdir()) == []
