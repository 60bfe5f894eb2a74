"""The threshold as pages use it: read from AWS, remembered as long as nothing changes it."""

import os

import streamlit as st

from dashboard import components
from dashboard.aws.thresholds import deployed_thresholds
from dashboard.jobs import DEPLOYMENT
from workflow import thresholds
from workflow.errors import WorkflowError
from workflow.thresholds import VARIABLE, DeployedThreshold, Standing

SECONDS = 30
"""A deployment from elsewhere is seen after so long; one of this process at once."""


@st.cache_data(ttl=SECONDS, show_spinner=False)
def _read(*known_for: str) -> tuple[DeployedThreshold, ...]:  # noqa: ARG001 - cache keys
    return deployed_thresholds(components.connection())


def standing() -> Standing:
    """Which threshold is deployed now, beside that of the settings."""
    connection, job = components.connection(), components.jobs().get(DEPLOYMENT)
    changed = "" if job is None else f"{job.started_at} {job.running}"
    deployed: tuple[DeployedThreshold, ...] | WorkflowError
    try:
        deployed = _read(str(connection.cloud), connection.settings.alias_arn, changed)
    except WorkflowError as error:
        deployed = error
    explicit = bool(os.environ.get(VARIABLE))
    return thresholds.standing(deployed, connection.settings.threshold, explicit=explicit)
