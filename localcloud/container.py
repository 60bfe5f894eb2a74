"""Container: a model out of S3, unpacked and served by a warm child process."""

import json
import os
import shutil
import sysconfig
import tarfile
import threading
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from localcloud.process import ChildExited, ChildTimedOut, Process
from localcloud.sandbox import View

_MODEL_DIR = "/opt/ml/model"
_LIBRARIES = {sysconfig.get_paths()[kind] for kind in ("purelib", "platlib")}
_TMP_MEGABYTES = 10_240
_LOAD_SECONDS = 60.0
_ANSWER_SECONDS = 60.0  # AWS's limit for one invocation


class ContainerFailed(Exception):  # noqa: N818 - an outcome with a name of its own
    """The model could not be unpacked or loaded; the text is the container's log."""


@dataclass(frozen=True, slots=True)
class ContainerAnswer:
    """What a container answered."""

    status: int
    content_type: str
    body: bytes


class Container:
    """One model server; requests take turns.

    Args:
        model_dir: The unpacked model.tar.gz.
        environment: The container's ``Environment`` in the SageMaker model.
        folder: Where the container gets a folder of its own.

    Raises:
        ContainerFailed: The model did not load.
    """

    def __init__(self, model_dir: Path, environment: Mapping[str, str], folder: Path) -> None:
        self._folder = folder / uuid.uuid4().hex
        self._folder.mkdir(parents=True)
        environ = {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "HOME": "/tmp",  # noqa: S108 - the container's own
            "OMP_NUM_THREADS": "1",
            **environment,
            "SM_MODEL_DIR": _MODEL_DIR,
        }
        view = View(
            folder=os.fspath(self._folder),
            shown={_MODEL_DIR: os.fspath(model_dir), **{path: path for path in _LIBRARIES}},
            tmp_megabytes=_TMP_MEGABYTES,
        )
        self._process = Process("localcloud.inference_worker", environ, self._folder)
        self._lock = threading.Lock()
        try:
            self._process.exchange_frames(
                [json.dumps(asdict(view)).encode()], replies=1, timeout=_LOAD_SECONDS
            )
        except (ChildExited, ChildTimedOut) as error:
            log = self._process.take_log()
            self.close()
            raise ContainerFailed(log or str(error)) from error

    @property
    def alive(self) -> bool:
        """Whether the model server runs."""
        return self._process.alive

    def answer_request(
        self, body: bytes, content_type: str, accept: str
    ) -> tuple[ContainerAnswer, str]:
        """Return the answer to one request, and what the container logged about it."""
        head = json.dumps({"content_type": content_type, "accept": accept}).encode()
        with self._lock:
            try:
                reply, content = self._process.exchange_frames(
                    [head, body], replies=2, timeout=_ANSWER_SECONDS
                )
            except (ChildExited, ChildTimedOut) as error:
                text = f"The model server ended or did not answer: {type(error).__name__}"
                return ContainerAnswer(500, "text/plain", text.encode()), self._process.take_log()
            log = self._process.take_log()
        given = json.loads(reply)
        return ContainerAnswer(given["status"], given["content_type"], content), log

    def close(self) -> None:
        """End the model server, with its files."""
        with self._lock:
            self._process.close()
            shutil.rmtree(self._folder, ignore_errors=True)


def unpack_archive(archive: Path, folder: Path) -> Path:
    """Unpack a model.tar.gz once; return the folder.

    Raises:
        ContainerFailed: It is not a tar archive, or holds paths outside its folder.
    """
    if folder.exists():
        return folder
    temporary = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.part")
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(temporary, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ContainerFailed(f"The model archive cannot be unpacked: {error}") from error
    try:
        temporary.rename(folder)
    # Another endpoint may have unpacked the same archive meanwhile.
    except OSError:
        if not folder.exists():
            raise
    return folder
