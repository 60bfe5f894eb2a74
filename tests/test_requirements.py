"""The lists of requirements agree, so that every way of installing gives the same project."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
SEVEN = {"streamlit", "boto3", "pandas", "plotly", "sagemaker", "pytest", "moto"}


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=;, ]", requirement)[0].lower()


def test_requirements_txt_gives_the_seven_packages_as_pyproject_does() -> None:
    lines = (ROOT / "requirements.txt").read_text().split()
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]

    assert lines[:2] == ["-e", "."]
    assert {name_of(line) for line in lines[2:]} == SEVEN
    assert set(lines[2:]) <= set(dependencies)


def test_the_lock_holds_every_dependency_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    locked = re.findall(
        r"^([a-z0-9._-]+)==\S+.*\\\n    --hash=sha256:",
        (ROOT / "requirements.lock").read_text(),
        re.MULTILINE,
    )

    assert {name_of(requirement) for requirement in wanted} <= set(locked)
