"""The lists of requirements agree, so that every way of installing gives the same project."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT = ("workflow", "lambdas", "deploy", "dashboard", "localcloud")
SEVEN = {"streamlit", "boto3", "pandas", "plotly", "sagemaker", "pytest", "moto"}


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=;, ]", requirement)[0].lower()


def test_requirements_txt_gives_the_seven_packages_as_pyproject_does() -> None:
    lines = (ROOT / "requirements.txt").read_text().split()
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]

    assert lines[:2] == ["-e", "."]
    assert {name_of(line) for line in lines[2:]} == SEVEN
    assert set(lines[2:]) <= set(dependencies)


IMPORTED_AS = {"jsonata-python": "jsonata", "pillow": "PIL"}
NOT_IMPORTED = {"pyarrow"}
"""polars imports it to make a pandas frame."""


def test_every_other_dependency_is_imported_by_the_product() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {name_of(requirement) for requirement in project["dependencies"]} - SEVEN
    sources = [path for package in PRODUCT for path in (ROOT / package).rglob("*.py")]
    text = "\n".join(path.read_text() for path in sources)
    imported = set(re.findall(r"^ *(?:import|from) (\w+)", text, re.MULTILINE))

    unused = {name for name in names if IMPORTED_AS.get(name, name) not in imported}

    assert unused == NOT_IMPORTED


def test_the_lock_holds_every_dependency_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    locked = re.findall(
        r"^([a-z0-9._-]+)==\S+.*\\\n    --hash=sha256:",
        (ROOT / "requirements.lock").read_text(),
        re.MULTILINE,
    )

    assert {name_of(requirement) for requirement in wanted} <= set(locked)
