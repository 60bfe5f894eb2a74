"""The model server of an endpoint: runs the ``code/inference.py`` of an unpacked model.tar.gz.

Started and confined like ``worker``; sees ``/opt/ml/model`` and this environment's packages.
Calls the four functions of the SageMaker inference toolkit: ``model_fn``, ``input_fn``,
``predict_fn`` and ``output_fn``. An exception with a ``status_code`` is answered with it, any
other with 500, as the toolkit does.

Protocol: in, the ``View`` of the sandbox as JSON; out, an empty frame once the model is loaded.
Then for each request: in, ``{content_type, accept}`` as JSON, body; out, ``{status,
content_type}`` as JSON, body.
"""

import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from localcloud import pipes, sandbox

_SERVER_ERROR = 500


def load_module(model_dir: Path) -> ModuleType:
    """Return the module ``code/inference.py`` of a model.

    Raises:
        Exception: Whatever the module raises while it is imported.
    """
    path = model_dir / "code" / "inference.py"
    if not path.exists():
        raise FileNotFoundError("The model archive holds no code/inference.py.")
    sys.path.insert(0, os.fspath(path.parent))
    spec = importlib.util.spec_from_file_location("inference", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"Cannot load {path.name}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules["inference"] = module
    spec.loader.exec_module(module)
    return module


def call_functions(module: ModuleType, model: Any, head: dict[str, str], body: bytes) -> Any:  # noqa: ANN401 - the toolkit's shapes
    """Return what ``output_fn`` gives for a request: a body, or a body and its content type."""
    data = module.input_fn(body, head["content_type"])
    prediction = module.predict_fn(data, model)
    return module.output_fn(prediction, head["accept"])


def answer_request(
    module: ModuleType,
    model: Any,  # noqa: ANN401 - whatever model_fn gives
    head: dict[str, str],
    body: bytes,
) -> tuple[int, str, bytes]:
    """Return (status, content type, body) of one request."""
    try:
        result = call_functions(module, model, head, body)
    except Exception as error:  # noqa: BLE001 - a container answers every exception
        status = int(getattr(error, "status_code", _SERVER_ERROR))
        text = f"{error}\n{_format_traceback(error)}"  # as the toolkit's Transformer.handle_error
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return status, "text/plain", text.encode()
    content, kind = result if isinstance(result, tuple) else (result, head["accept"])
    return 200, kind, content if isinstance(content, bytes) else str(content).encode()


def _format_traceback(error: BaseException) -> str:
    """Return the traceback of an exception from the model's own code on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


def main(own_paths: list[str]) -> None:
    """Load the model, then answer until the parent closes the pipe.

    Args:
        own_paths: Where the project and this environment's packages lie; the project is dropped.
    """
    requests, replies = pipes.own_pipes()
    sandbox.confine_process(sandbox.View(**json.loads(pipes.read_frame(requests) or b"{}")))
    sys.path.remove(own_paths[0])
    for name in [name for name in sys.modules if name.partition(".")[0] == "localcloud"]:
        del sys.modules[name]
    model_dir = Path(os.environ["SM_MODEL_DIR"])
    os.chdir(model_dir)
    module = load_module(model_dir)
    model = module.model_fn(os.fspath(model_dir))
    pipes.write_frames(replies, b"")
    while (head := pipes.read_frame(requests)) is not None:
        body = pipes.read_frame(requests) or b""
        status, kind, content = answer_request(module, model, json.loads(head), body)
        sys.stderr.flush()
        about = json.dumps({"status": status, "content_type": kind}).encode()
        pipes.write_frames(replies, about, content)
