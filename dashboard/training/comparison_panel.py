"""Panel: whether the model of this checkout is better than an older one on held-out photos."""

from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from dashboard.aws.cloud import MANIFEST
from dashboard.shared import components
from dashboard.training.model import HeldOutComparison, held_out_comparison
from workflow.paired import Winner

_DRAWN = {
    Winner.BETTER: (st.success, ":material/trending_up:"),
    Winner.WORSE: (st.warning, ":material/trending_down:"),
    Winner.CANNOT_TELL: (st.info, ":material/help:"),
}


def show_comparison(manifest: Path = MANIFEST, *, told: bool = False) -> None:
    """Show the comparison in a model's manifest, or the command that makes one.

    Args:
        manifest: Of the model that ``python -m deploy apply`` takes.
        told: Whether the page names that command elsewhere.
    """
    with components.show_errors():
        found = held_out_comparison(manifest.read_bytes()) if manifest.exists() else None
        if found or not told:
            st.markdown("**The new model on photos held out**")
        if found:
            _show_verdict(found)
            written = datetime.fromtimestamp(manifest.stat().st_mtime, UTC)
            components.as_of(written, datetime.now(UTC))
        elif not told:
            components.empty_state(
                "No comparison yet",
                "This trains a model for this checkout and compares it with the one before it, on"
                " photos that neither was trained on. Quality, Training set, names the prefix.",
            )
            st.code(train_command("S3_PREFIX"), language=None, wrap_lines=True)


def train_command(url: str) -> str:
    """Return the command that trains on this machine and compares with the model in use.

    Args:
        url: ``s3://bucket/prefix`` of the training set.
    """
    return f"python -m deploy train {url} --out deploy/model/artifacts"


def _show_verdict(found: HeldOutComparison) -> None:
    box, icon = _DRAWN[found.winner]
    box(f"**{found.winner.capitalize()}.** {found.format_sentence()}", icon=icon)
