"""Audit of what is installed: known vulnerabilities and licences.

Run: ``make audit``. Reads the reports of pip-audit and pip-licenses, says what they could not tell,
and ends with 1 where a package is vulnerable or has a licence that is not allowed.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ALLOWED: Final = frozenset(
    {"0BSD", "AFL-2.1", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python",
     "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Zlib"}
)  # fmt: skip
"""SPDX identifiers. MPL-2.0 binds changes to the package's own files only, and none is changed."""
SPDX: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""Names of licences in the metadata of older packages."""
READ: Final = {"huey": "MIT", "sagemaker-train": "Apache-2.0", "skops": "MIT"}
"""Packages whose metadata name none: read in their licence files, November 2026."""
EXCEPTED: Final = {"paramiko": "LGPL-2.1"}
"""Used as it is, through sagemaker, and shipped with nothing."""
OURS: Final = "scones-unlimited"


def is_allowed(expression: str) -> bool:
    """Return whether a licence, or each of several that bind, is allowed.

    Args:
        expression: SPDX's, or names that ``;`` separates.
    """
    if expression in SPDX:
        return True
    # Without brackets, OR binds looser than AND, which is how SPDX expressions are read.
    plain = re.sub(r"[()]", " ", expression)
    return any(
        all(SPDX.get(name.strip(), name.strip()) in ALLOWED for name in re.split(r" AND |;", one))
        for one in plain.split(" OR ")
    )


def find_forbidden(packages: Sequence[Mapping[str, str]]) -> list[str]:
    """Return a sentence for each package whose licence is unknown or not allowed.

    Args:
        packages: As pip-licenses gives them: ``Name``, ``Version``, ``License``.
    """
    found = []
    for package in packages:
        name, licence = package["Name"], package["License"]
        known = READ.get(name, licence) if licence in ("UNKNOWN", "License") else licence
        if name != OURS and EXCEPTED.get(name) != known and not is_allowed(known):
            found.append(f"{name} {package['Version']}: the licence {known} is not allowed.")
    return found


def find_vulnerable(dependencies: Sequence[Mapping[str, Any]]) -> tuple[list[str], int]:
    """Return a sentence for each known vulnerability, and how many packages were looked up.

    Args:
        dependencies: As pip-audit gives them: ``name``, ``version`` and ``vulns``, or
            ``skip_reason`` where its data has nothing of the package.
    """
    audited = [one for one in dependencies if "skip_reason" not in one]
    found = [
        f"{one['name']} {one['version']}: {vulnerability['id']}, mended in "
        f"{', '.join(vulnerability['fix_versions']) or 'no version'}."
        for one in audited
        for vulnerability in one["vulns"]
    ]
    return found, len(audited)


def main(vulnerabilities: str, licences: str) -> int:
    """Print what two reports say; gives the exit status."""
    report = Path(vulnerabilities)
    text = report.read_text() if report.exists() else ""
    dependencies = json.loads(text)["dependencies"] if text else []
    found, audited = find_vulnerable(dependencies)
    if audited == len(dependencies) > 0:
        print(f"Vulnerabilities: all {audited} packages were looked up.")
    else:
        print(
            f"NOT AUDITED: {len(dependencies) - audited} of {len(dependencies)} packages. The "
            "advisories (https://pypi.org/pypi/NAME/VERSION/json) could not be reached from here."
        )
    packages = json.loads(Path(licences).read_text())
    print(f"Licences: {len(packages)} packages were checked.")
    problems = [*found, *find_forbidden(packages)]
    print("\n".join(problems) or "Nothing was found.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
