"""The panel of the comparison on held-out photos: each verdict, nothing yet, and unreadable."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest


def drawn(manifest: Path, *, told: bool = False) -> AppTest:
    """Draw the panel alone."""
    return AppTest.from_string(
        f"from pathlib import Path\nfrom dashboard.training import comparison_panel\n"
        f"comparison_panel.show_comparison(Path({str(manifest)!r}), told={told})",
        default_timeout=60,
    ).run()


@pytest.mark.parametrize(
    ("winner", "box"), [("better", "success"), ("worse", "warning"), ("cannot tell yet", "info")]
)
def test_a_comparison_is_a_verdict_with_its_interval_and_time(
    tmp_path: Path, winner: str, box: str
) -> None:
    share = {"count": 50, "value": 0.9}
    found = {"old": share, "new": share, "difference": 0.0, "low": -0.1, "high": 0.1}
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"comparison": {**found, "winner": winner}}))

    page = drawn(manifest)

    assert not page.exception
    (said,) = getattr(page, box)
    assert said.value.startswith(f"**{winner.capitalize()}.** On 50 photos")
    assert "-10.0% to +10.0%" in said.value
    assert page.caption[-1].value.startswith("As of ")


@pytest.mark.parametrize("content", [None, "{}"])
def test_without_a_comparison_the_command_that_makes_one_is_shown(
    tmp_path: Path, content: str | None
) -> None:
    manifest = tmp_path / "manifest.json"
    if content is not None:
        manifest.write_text(content)

    page = drawn(manifest)

    assert not page.exception
    assert "**No comparison yet**" in [one.value for one in page.markdown]
    assert page.code[0].value == "python -m deploy train S3_PREFIX --out deploy/model/artifacts"


def test_a_page_that_names_the_command_does_not_show_it_twice(tmp_path: Path) -> None:
    page = drawn(tmp_path / "manifest.json", told=True)

    assert not page.exception
    assert not page.code
    assert not page.markdown


def test_a_manifest_that_cannot_be_read_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text("{")

    page = drawn(manifest)

    assert not page.exception
    assert "deploy.model.compare" in " ".join(one.value for one in [*page.error, *page.caption])
