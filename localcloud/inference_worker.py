"""The model server of an endpoint: runs the ``code/inference.py`` of an unpacked model.tar.gz.

Started like ``worker`` as ``python -I -S inference_worker.py``; imports nothing of the project.
Calls the four functions of the SageMaker inference toolkit: ``model_fn``, ``input_fn``,
``predict_fn`` and ``output_fn``. An exception with a ``status_code`` is answered with it, any
other with 500, as the toolkit does.

Protocol: frames of 4 bytes length and content. In: ``{content_type, accept}`` as JSON, body. Out:
``{status, content_type}`` as JSON, body. The first exchange, an empty header, is the health check.
"""

import importlib.util
import json
import os
import struct
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

_SERVER_ERROR = 500


def load(model_dir: Path) -> ModuleType:
    """The module ``code/inference.py`` of a model.

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


def transform(module: ModuleType, model: Any, head: dict[str, str], body: bytes) -> Any:  # noqa: ANN401 - the toolkit's shapes
    """What ``output_fn`` gives for a request: a body, or a body and its content type."""
    data = module.input_fn(body, head["content_type"])
    prediction = module.predict_fn(data, model)
    return module.output_fn(prediction, head["accept"])


def answer(
    module: ModuleType,
    model: Any,  # noqa: ANN401 - whatever model_fn gives
    head: dict[str, str],
    body: bytes,
) -> tuple[int, str, bytes]:
    """(status, content type, body) of one request."""
    try:
        result = transform(module, model, head, body)
    except Exception as error:  # noqa: BLE001 - a container answers every exception
        status = int(getattr(error, "status_code", _SERVER_ERROR))
        text = str(error) if status < _SERVER_ERROR else traceback.format_exc()
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return status, "text/plain", text.encode()
    content, kind = result if isinstance(result, tuple) else (result, head["accept"])
    return 200, kind, content if isinstance(content, bytes) else str(content).encode()


def _read(pipe: BinaryIO) -> bytes | None:
    head = pipe.read(4)
    if len(head) < 4:  # noqa: PLR2004 - the length of the length
        return None
    return pipe.read(struct.unpack(">I", head)[0])


def _write(pipe: BinaryIO, *frames: bytes) -> None:
    pipe.write(b"".join(struct.pack(">I", len(frame)) + frame for frame in frames))
    pipe.flush()


def main() -> None:
    """Load the model, then answer until the parent closes the pipe."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    model_dir = Path(os.environ["SM_MODEL_DIR"])
    sys.path[:] = [path for path in sys.path if Path(path) != Path(__file__).parent]
    sys.path.append(os.environ.pop("LOCALCLOUD_LIBRARY"))
    module = load(model_dir)
    model = module.model_fn(os.fspath(model_dir))
    while (head := _read(requests)) is not None:
        body = _read(requests) or b""
        if head == b"{}":
            status, kind, content = 200, "text/plain", b""
        else:
            status, kind, content = answer(module, model, json.loads(head), body)
        sys.stderr.flush()
        _write(replies, json.dumps({"status": status, "content_type": kind}).encode(), content)


if __name__ == "__main__":
    main()
