"""Package: the model.tar.gz that a SageMaker endpoint unpacks; standard library only."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from deploy.model.artifacts import ARTIFACTS, MANIFEST_FILE, MODEL_FILE
from deploy.model.wheels import FOLDER
from workflow.class_names import ClassNames
from workflow.errors import WorkflowError

CODE = Path(__file__).parent / "code"
_CODE_FILES = ("inference.py", "requirements.txt")
_WORKFLOW = Path(__file__).parents[2] / "workflow"
_DECODER = ("__init__.py", "formats.py", "pictures.py")
"""Of the package ``workflow``, what ``inference.py`` imports; the page decodes with it too."""


@dataclass(frozen=True, slots=True)
class PackedModel:
    """A packed model.

    Attributes:
        body: The bytes of model.tar.gz; the same files give the same bytes.
        digest: SHA-256 of the tar inside, so that another zlib gives another body but no other
            digest.
        classes: Names of the classes by the manifest.
    """

    body: bytes
    digest: str
    classes: tuple[str, ...]


def model_archive(
    artifacts: Path = ARTIFACTS, code: Path = CODE, wheels: Mapping[str, bytes] | None = None
) -> PackedModel:
    """Pack ``model.onnx``, ``manifest.json`` and ``code/`` as the PyTorch container wants them.

    Args:
        artifacts: Folder of the model and its manifest.
        code: Folder of what runs it.
        wheels: File name to content of what the container installs (``wheels.pinned_wheels``).

    Source: docs.aws.amazon.com/sagemaker, "Model directory structure" of the SageMaker Python SDK's
    PyTorch page.

    Raises:
        WorkflowError: ``ModelNotFound`` where a file is missing, ``ModelCorrupt`` where the model
            is not the one that its manifest describes.
    """
    files = {name: _read_file(artifacts / name) for name in (MANIFEST_FILE, MODEL_FILE)}
    _check_digest(files)
    files |= {f"code/{name}": _read_file(code / name) for name in _CODE_FILES}
    files |= {f"code/workflow/{name}": _read_file(_WORKFLOW / name) for name in _DECODER}
    files |= {f"{FOLDER}/{name}": content for name, content in (wheels or {}).items()}
    packed = _make_tar(files)
    return PackedModel(
        _compress_once(packed),
        hashlib.sha256(packed).hexdigest(),
        ClassNames.of_manifest(files[MANIFEST_FILE]).names,
    )


@lru_cache(maxsize=1)
def _compress_once(packed: bytes) -> bytes:
    # Every plan asks for it, and so does every look at the page of the deployment. Wheels are
    # compressed already: more effort would only make the first plan slow.
    return gzip.compress(packed, compresslevel=1, mtime=0)


def _make_tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(files.items()):
            # TarInfo's own defaults: no owner, no time, mode 644.
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WorkflowError(
            "ModelNotFound",
            f"{path.name} of the classifier cannot be read: {error.strerror}.",
            "Restore deploy/model from git, or train the model again:"
            " python -m deploy.model.train.",
        ) from error


def _check_digest(files: dict[str, bytes]) -> None:
    digest = hashlib.sha256(files[MODEL_FILE]).hexdigest()
    stated = json.loads(files[MANIFEST_FILE])["sha256"]
    if digest != stated:
        raise WorkflowError(
            "ModelCorrupt",
            f"{MODEL_FILE} has SHA-256 {digest[:12]}..., its manifest says {stated[:12]}....",
            "Restore deploy/model/artifacts from git, or train the model again.",
        )
