"""Packages are the same bytes on every machine, and hold nothing that is not needed."""

import importlib.util
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from deploy import package
from tests.deploy.cases import settings
from workflow.errors import WorkflowError


@examples(deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5})?\.py", fullmatch=True), st.binary()))
def test_a_zip_depends_on_names_and_contents_alone(files: dict[str, bytes]) -> None:
    shuffled = dict(reversed(files.items()))

    first = package.deterministic_zip(files)

    assert first == package.deterministic_zip(shuffled)
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files


@pytest.mark.parametrize("name", package.FUNCTIONS)
def test_a_function_holds_its_handler_and_what_all_share_and_nothing_else(name: str) -> None:
    with zipfile.ZipFile(io.BytesIO(package.function_zip(name))) as archive:
        assert archive.namelist() == [
            "lambdas/__init__.py",
            f"lambdas/{name}/__init__.py",
            f"lambdas/{name}/handler.py",
            "workflow/__init__.py",
            "workflow/addresses.py",
            "workflow/answer_rows.py",
            "workflow/answers.py",
            "workflow/contract.py",
            "workflow/error_rows.py",
            "workflow/formats.py",
            "workflow/known_errors.py",
        ]
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}


@pytest.mark.process
@pytest.mark.parametrize("name", package.FUNCTIONS)
def test_a_packed_function_can_be_imported_from_its_zip_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / "code.zip").write_bytes(package.function_zip(name))
    libraries = str(Path(importlib.util.find_spec("boto3").origin).parents[1])  # type: ignore[union-attr,arg-type]

    subprocess.run(
        [sys.executable, "-c", f"from lambdas.{name}.handler import handler"],
        check=True,
        cwd=tmp_path,
        env={
            "PYTHONPATH": os.pathsep.join([str(tmp_path / "code.zip"), libraries]),
            "PYTHONSAFEPATH": "1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "SCONES_ENDPOINT": "e",
            "SCONES_THRESHOLD": "0.93",
        },
    )


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError, match="serialize_image") as caught:
        package.function_zip("serialize_image", tmp_path)

    assert caught.value.code == "SourceMissing"


@pytest.mark.parametrize("text", [None, "{", "[]", "\xff"], ids=["missing", "cut", "list", "bytes"])
def test_a_definition_that_cannot_be_read_is_named(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "step_function.json"
    if text is not None:
        path.write_text(text, encoding="latin-1")

    with pytest.raises(WorkflowError, match=r"step_function\.json") as caught:
        package.read_definition(path)

    assert caught.value.code == "DefinitionInvalid"


def test_the_model_is_packed_only_where_it_is_served() -> None:
    own = package.collect_artifacts(settings(), wheels=False)
    theirs = package.collect_artifacts(settings(existing_endpoint="theirs"), wheels=False)

    assert own.model
    assert own.model_digest
    assert "pytorch-inference" in own.image
    assert (theirs.model, theirs.image) == (b"", "")


def test_training_uses_the_built_in_algorithm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "training_image", lambda region: f"algorithm in {region}")

    made = package.collect_artifacts(settings(training_data="s3://data/images"), wheels=False)

    assert (made.model, made.image) == (b"", "algorithm in us-east-1")
    assert made.functions.keys() == set(package.FUNCTIONS)


def test_every_placeholder_of_the_definition_has_a_function() -> None:
    definition = str(package.read_definition(package.ROOT / "step_function.json"))

    for name in package.FUNCTIONS:
        assert "${" + name.title().replace("_", "") + "Arn}" in definition
