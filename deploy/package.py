"""Everything a deployment uploads: the functions' zips, the definition and the model archive.

The zips are deterministic: the same sources give the same bytes on every machine, so that a second
plan is empty. They are stored, not deflated, because zlib's output differs between its builds.
"""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.model import package as model_package
from deploy.model.container import container_image
from deploy.model.wheels import pinned_wheels
from deploy.providers.algorithms import training_image
from workflow.contract import LABELS
from workflow.errors import WorkflowError
from workflow.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
DEFINITION = Path(__file__).with_name("step_function.json")
"""A link to the file at the top: a wheel holds packages only."""
FUNCTIONS = ("serialize_image", "classify_image", "filter_inferences")
SHARED = (
    "__init__.py",
    "addresses.py",
    "answer_rows.py",
    "answers.py",
    "contract.py",
    "error_rows.py",
    "formats.py",
    "known_errors.py",
)
"""Of the package ``workflow``, what every function is shipped with."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold."""

_MODE_FILE = 0o100644 << 16
_UNIX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifacts:
    """What is deployed, as bytes and documents.

    Attributes:
        functions: The zip of each function, by the name of its folder under ``lambdas``.
        definition: ``step_function.json`` with its placeholders.
        model: The model archive; empty where another model is served.
        model_digest: Hex SHA-256 of what is packed in the archive.
        image: URI of the container image that serves the model, or trains it; empty where the
            endpoint exists already.
        training_samples: How many images the list file for training names.
        classes: Names of the model's classes, in the order of its answer.
    """

    functions: Mapping[str, bytes] = field(repr=False)
    definition: Mapping[str, Any] = field(repr=False)
    model: bytes = field(repr=False, default=b"")
    model_digest: str = ""
    image: str = ""
    training_samples: int = 0
    classes: tuple[str, ...] = LABELS


def collect_artifacts(settings: Settings, *, wheels: bool) -> Artifacts:
    """Collect from the source tree what a deployment with these settings is made from.

    Args:
        settings: Which deployment.
        wheels: Whether the model archive carries what the container installs.

    Raises:
        WorkflowError: Something that belongs to the sources is missing or cannot be read.
    """
    functions = {name: function_zip(name) for name in FUNCTIONS}
    definition = read_definition(DEFINITION)
    named = settings.classes or LABELS
    if settings.existing_endpoint is not None:
        return Artifacts(functions=functions, definition=definition, classes=named)
    if settings.training_data is not None:
        image = training_image(settings.region)
        return Artifacts(functions=functions, definition=definition, image=image, classes=named)
    model = model_package.model_archive(wheels=pinned_wheels() if wheels else {})
    return Artifacts(
        functions=functions,
        definition=definition,
        model=model.body,
        model_digest=model.digest,
        image=container_image(settings.region),
        classes=settings.classes or model.classes,
    )


def function_zip(name: str, root: Path = ROOT) -> bytes:
    """Return the zip of one function: its handler and what it shares with the others, nothing else.

    Args:
        name: Folder under ``lambdas``.
        root: The source tree.
    """
    paths = (
        "lambdas/__init__.py",
        f"lambdas/{name}/__init__.py",
        f"lambdas/{name}/handler.py",
        *(f"workflow/{shared}" for shared in SHARED),
    )
    try:
        return deterministic_zip({path: (root / path).read_bytes() for path in paths})
    except OSError as error:
        raise WorkflowError(
            "SourceMissing",
            f"The function {name} cannot be packed: {error}.",
            "Deploy from a whole checkout of the project.",
        ) from error


def deterministic_zip(files: Mapping[str, bytes]) -> bytes:
    """Return a zip whose bytes depend on nothing but the names and contents of its files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        # Sorted, with one time and mode for all: any other order would be another digest.
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, EPOCH)
            # Set on every system: Lambda drops the mode bits of a zip made on Windows.
            entry.create_system = _UNIX
            entry.external_attr = _MODE_FILE
            archive.writestr(entry, files[path])
    return buffer.getvalue()


def read_definition(path: Path) -> dict[str, Any]:
    """Return the state machine definition with its placeholders.

    Raises:
        WorkflowError: ``DefinitionInvalid`` where the file is missing or no JSON object.
    """
    try:
        definition = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WorkflowError(
            "DefinitionInvalid",
            f"The state machine definition {path.name} cannot be read: {error}.",
            "Restore it from the repository, or correct it at the place named.",
        ) from error
    if not isinstance(definition, dict):
        raise WorkflowError(
            "DefinitionInvalid",
            f"The state machine definition {path.name} is not a JSON object.",
            "Restore it from the repository.",
        )
    return definition


def lambda_digest(data: bytes) -> str:
    """Return the SHA-256 in base64, as Lambda reports it (``CodeSha256``)."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
