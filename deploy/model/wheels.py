"""Wheels: what the endpoint's container installs; pinned, fetched here, carried in the archive.

The container fetches nothing when it starts: it may have no way to an index, and what an index
gives changes. ``code/requirements.txt`` pins each wheel of the container's Python and platform by
its SHA-256 and finds it in the folder beside it.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from deploy.model.container import PYTHON_VERSION
from workflow.errors import WorkflowError

REQUIREMENTS = Path(__file__).parent / "code" / "requirements.txt"
CACHE = Path.home() / ".cache" / "scones-unlimited" / "wheels"
FOLDER = "code/wheels"
"""Where the archive holds them; ``--find-links`` in the requirements names it."""

PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64")
"""What the container's glibc can load, the newest first."""

_PIN = re.compile(
    r"^(?P<package>[\w.-]+==[\w.]+) --hash=sha256:(?P<sha256>[0-9a-f]{64})$", re.MULTILINE
)


def read_pins(requirements: str) -> dict[str, str]:
    """Return the SHA-256 of each wheel by ``package==version``."""
    return {match["package"]: match["sha256"] for match in _PIN.finditer(requirements)}


def pinned_wheels(requirements: Path = REQUIREMENTS, cache: Path = CACHE) -> dict[str, bytes]:
    """Return the pinned wheels by file name: from the cache, else by pip as it is configured here.

    Raises:
        WorkflowError: ``WheelsMissing`` where pip does not get them.
    """
    wanted = read_pins(requirements.read_text("utf-8"))
    found = _read_cached(wanted, cache)
    if len(found) < len(wanted):
        cache.mkdir(parents=True, exist_ok=True)
        said = _download_wheels(wanted, cache)
        found = _read_cached(wanted, cache)
        if len(found) < len(wanted):
            raise WorkflowError(
                "WheelsMissing",
                f"pip cannot fetch what the endpoint's container installs: {said}",
                "Give pip an index that has it (pip config set global.index-url, PIP_INDEX_URL), "
                f"or put the wheels that {requirements.name} names into {cache}.",
            )
    return found


def _read_cached(wanted: Mapping[str, str], cache: Path) -> dict[str, bytes]:
    bodies = {path.name: path.read_bytes() for path in sorted(cache.glob("*.whl"))}
    # By content, not by name: a file of that name may be another build.
    digests = set(wanted.values())
    return {n: b for n, b in bodies.items() if hashlib.sha256(b).hexdigest() in digests}


def _download_wheels(wanted: Mapping[str, str], cache: Path) -> str:
    """Let pip fetch wheels into the cache; gives the last thing it said."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.writelines(f"{name} --hash=sha256:{sha256}\n" for name, sha256 in wanted.items())
        listed.flush()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
        command += ["--disable-pip-version-check", "--no-deps", "--require-hashes"]
        command += ["--only-binary", ":all:", "--implementation", "cp"]
        command += ["--python-version", PYTHON_VERSION, "--dest", str(cache), "-r", listed.name]
        for platform in PLATFORMS:
            command += ["--platform", platform]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else "it says nothing."
