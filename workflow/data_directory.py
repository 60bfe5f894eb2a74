"""The directory that holds what the dashboard and ``deploy`` keep on this machine."""

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
