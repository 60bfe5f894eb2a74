"""The directories that hold what the dashboard and ``deploy`` keep on this machine."""

from collections.abc import Mapping
from pathlib import Path


def data_directory(root: Path, environ: Mapping[str, str], home: Path) -> Path:
    """Return where ``.localcloud`` and ``.scones`` lie.

    Args:
        root: The directory of the packages: the checkout, or where the wheel was installed.
        environ: The environment; ``XDG_DATA_HOME`` is read
            (https://specifications.freedesktop.org/basedir-spec/latest/).
        home: The user's home directory.

    Returns:
        The checkout itself, or a directory of the user's that outlives the next installation.
    """
    if (root / "pyproject.toml").exists():
        return root
    data = environ.get("XDG_DATA_HOME", "")
    base = Path(data) if Path(data).is_absolute() else home / ".local/share"
    return base / "scones-unlimited"


def store_directory(data: Path, environ: Mapping[str, str]) -> Path:
    """Return where records of workflows on AWS lie, a folder for each kind of each workflow.

    Args:
        data: As ``data_directory`` returns it.
        environ: The environment; ``SCONES_STORE`` names another one.
    """
    return Path(environ.get("SCONES_STORE") or data / ".scones")


def records_folder(kind: str, account: str, region: str, name: str) -> str:
    """Return the name of the folder of one kind of records of a workflow.

    Args:
        kind: What is kept, such as ``audit``.
        account: Of the workflow.
        region: Likewise.
        name: ``WatchedWorkflow.store_name``, or that of its executions.
    """
    return f"{kind}-{account}-{region}-{name}"
