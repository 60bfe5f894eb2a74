"""Traffic as a page offers it: a button on the local cloud, how it goes, and why it ended."""

import streamlit as st

from dashboard.aws.cloud import Cloud
from dashboard.inferences.traffic import ARGUMENTS, TrafficProcess
from dashboard.shared import components
from workflow.access import Privilege

TICK_SECONDS = 1.0


@st.cache_resource(show_spinner=False)
def _started_traffic() -> dict[str, TrafficProcess]:
    """Return the traffic that this process started last, by address of the cloud."""
    return {}


def send_traffic(cloud: Cloud, arguments: tuple[str, ...]) -> None:
    """Send traffic instead of what is sent now."""
    # One at a time: two generators would make a mixture that no card describes.
    stop_traffic(cloud)
    _started_traffic()[cloud.endpoint_url or ""] = TrafficProcess(cloud, arguments)


def stop_traffic(cloud: Cloud) -> None:
    """Stop the traffic that this process has started, if any runs."""
    found = _started_traffic().get(cloud.endpoint_url or "")
    if found is not None and found.running:
        found.stop()


def traffic_arguments(cloud: Cloud) -> tuple[str, ...]:
    """Return what the traffic under way was started with; nothing where none runs."""
    found = _started_traffic().get(cloud.endpoint_url or "")
    return found.arguments if found is not None and found.running else ()


def is_running(cloud: Cloud) -> bool:
    """Return whether traffic that this process started is under way."""
    found = _started_traffic().get(cloud.endpoint_url or "")
    return found is not None and found.running


def show_button(cloud: Cloud) -> None:
    """Draw the button that starts or stops traffic; say why the last did not end well."""
    url = cloud.endpoint_url
    if url is None:
        return
    found = _started_traffic().get(url)
    if found is not None and found.running:
        _until_ended(found)
        if st.button("Stop the traffic", icon=":material/stop_circle:"):
            components.run_action("Stop the traffic", Privilege.TRAFFIC, lambda _: found.stop())
            st.rerun()
        return
    if found is not None and found.problem is not None:
        components.error_state(found.problem)
    if st.button(
        "Send traffic",
        icon=":material/conveyor_belt:",
        help="Sends 600 drawn images through the workflow in about two minutes; a drift sets in"
        " half-way: it gets dark, the lens blurs, and there are more motorcycles.",
    ):
        components.run_action(
            "Send traffic", Privilege.TRAFFIC, lambda _: send_traffic(cloud, ARGUMENTS)
        )
        st.rerun()


def _until_ended(traffic: TrafficProcess) -> None:
    """Redraw the page when the traffic has ended."""

    def tick() -> None:
        if not traffic.running:
            st.rerun()

    st.fragment(tick, run_every=TICK_SECONDS)()
