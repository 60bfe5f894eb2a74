"""What is kept lies in the checkout, or in a directory of the user's for an installed wheel."""

from pathlib import Path

import pytest

from workflow.data_directory import data_directory, store_directory


def test_a_checkout_keeps_its_own(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    assert data_directory(tmp_path, {"XDG_DATA_HOME": "/data"}, Path("/home/me")) == tmp_path


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "/home/me/.local/share/scones-unlimited"),
        ({"XDG_DATA_HOME": ""}, "/home/me/.local/share/scones-unlimited"),
        ({"XDG_DATA_HOME": "relative"}, "/home/me/.local/share/scones-unlimited"),
        ({"XDG_DATA_HOME": "/data"}, "/data/scones-unlimited"),
    ],
)
def test_an_installed_dashboard_keeps_nothing_beside_its_packages(
    tmp_path: Path, environ: dict[str, str], expected: str
) -> None:
    assert data_directory(tmp_path, environ, Path("/home/me")) == Path(expected)


def test_records_lie_in_the_data_directory_unless_another_one_is_named() -> None:
    assert store_directory(Path("/data"), {}) == Path("/data/.scones")
    assert store_directory(Path("/data"), {"SCONES_STORE": "/kept"}) == Path("/kept")
