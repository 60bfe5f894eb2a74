"""How fresh and how complete the executions are that a page shows."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from dashboard.executions.feed import ExecutionFeed
from dashboard.executions.freshness_model import NOT_DEPLOYED, describe_freshness
from dashboard.shared import components, time_range_panel


def show_freshness(source: ExecutionFeed, problems: Sequence[str]) -> None:
    """Show how complete and how old the data are, and what AWS refused.

    Args:
        source: Where executions come from.
        problems: Of what is made of them, as sentences.
    """
    deployed = components.connection().watched.deployed
    said = describe_freshness(
        source.progress,
        now=datetime.now(UTC),
        zone=time_range_panel.picked_zone(),
        deployed=deployed,
    )
    st.caption(said.text)
    if said.share is not None and said.share < 1:
        st.progress(said.share, text="Reading histories at the rate AWS allows …")
    components.show_problems(list(dict.fromkeys([*said.warnings, *problems])))


def check_ready(source: ExecutionFeed) -> bool:
    """Return whether enough was read to judge by; says so where it was not."""
    progress, watched = source.progress, components.connection().watched
    if not watched.state_machine_arn and not watched.imported:
        components.empty_state(
            "Only captures are watched",
            "Name the state machine as well to see its executions and failures.",
            page="app_pages/workflows.py",
            label="Go to Workflows",
        )
        return False
    if watched.express:
        components.empty_state(
            "An EXPRESS state machine keeps no executions",
            "Step Functions has no list and no history of them; its log group has what it logs.",
            page="app_pages/deployment.py",
            label="Go to Deployment",
        )
        return False
    # Before the first listing is complete shares would jump about.
    if progress is None or (not progress.listed and not progress.problems):
        st.skeleton()
        return False
    refused = {error.code for error in progress.problems.values()}
    if watched.deployed and NOT_DEPLOYED in refused:
        components.not_deployed()
        return False
    return True
