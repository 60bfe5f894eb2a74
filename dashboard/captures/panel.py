"""The feed of captures as the page uses it: one for each process, with how fresh it is."""

import os
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from functools import partial

import streamlit as st

from dashboard.access import session
from dashboard.aws.captured_images import CaptureLine, fetch_captured_thumbnail
from dashboard.aws.cloud import Connection
from dashboard.captures.athena_feed import AthenaFeed
from dashboard.captures.feed import CaptureFeed
from dashboard.captures.places import capture_place
from dashboard.captures.source import InferenceFeed
from dashboard.captures.sync_progress import CaptureProgress
from dashboard.shared import components
from dashboard.shared.escaping import escape_text
from dashboard.shared.feeds import Feeds
from dashboard.shared.refresh import refresh_interval
from dashboard.shared.store_root import store_root
from workflow.access import Privilege
from workflow.errors import WorkflowError

TICK_SECONDS = 2.0
"""How often it is asked whether there is anything new."""


@st.cache_resource(show_spinner=False, on_release=Feeds.close)
def _known_feeds() -> Feeds[InferenceFeed]:
    return Feeds(_make_feed)


def _make_feed(connection: Connection) -> InferenceFeed:
    """Make the feed of the watched workflow; ``SCONES_CAPTURES=athena`` asks for the other kind."""
    match os.environ.get("SCONES_CAPTURES") or "s3":
        case "athena" if connection.watched.deployed:  # its tables are named after the deployment
            return AthenaFeed(connection, capture_place(connection))
        case "s3" | "athena":
            return CaptureFeed(connection, store_root(connection, kind="captures"))
        case other:
            raise WorkflowError(
                "SettingInvalid",
                f"SCONES_CAPTURES is {other!r}, which is neither s3 nor athena.",
                "Set it to athena, or leave it out to read captures from S3.",
            )


def running_feed() -> InferenceFeed:
    """Return the feed of the watched workflow, running.

    Raises:
        WorkflowError: What ended its thread.
    """
    connection = components.connection()
    found = _known_feeds().get_feed(connection)
    found.watch()
    return found


def feed_finder() -> Callable[[], InferenceFeed]:
    """Return how a thread finds the feed of the watched workflow, which this does not start yet."""
    return partial(_known_feeds().get_feed, components.connection(), as_known=True)


def start_picture(source: InferenceFeed, line: CaptureLine) -> None:
    """Begin to fetch the image behind a capture."""
    components.picture_cache().start("s3", *_picture_request(source, line), fresh_s=float("inf"))


def load_picture(source: InferenceFeed, line: CaptureLine) -> bytes:
    """Return the captured image as a small JPEG.

    Raises:
        WorkflowError: Why there is none to show; ``StillWaiting`` while it is fetched.
    """
    return components.picture_cache().get(
        "s3", *_picture_request(source, line), fresh_s=float("inf")
    )


def _picture_request(
    source: InferenceFeed, line: CaptureLine
) -> tuple[Hashable, str, Callable[[], bytes]]:
    bucket = source.bucket
    title = f"the picture of {line.key}"
    return (bucket.name, line), title, partial(fetch_captured_thumbnail, bucket, line)


def show_status(source: InferenceFeed) -> None:
    """Show the sync's progress and the page's age; redraw the page when there is more."""
    # As of this run of the page: the fragment compares what it sees later with it.
    shown, unknown = source.version, source.as_of is None

    def tick() -> None:
        source.watch()
        live = _show_freshness(source)
        if source.version != shown and (live or not any(shown)):
            st.rerun()
        if (source.as_of is None) != unknown:
            st.rerun()

    st.fragment(tick, run_every=refresh_interval(TICK_SECONDS))()


def _show_freshness(source: InferenceFeed) -> bool:
    """Return how fresh the page is; whether it is to follow what comes in."""
    now = datetime.now(UTC)
    progress = source.progress
    found = progress.found if progress else 0
    under_way = source.syncing and not source.paused
    reading = under_way and (source.as_of is None or _is_unfinished(progress))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if source.paused:
            st.caption("Reading is stopped; the captures read so far are shown.", width="content")
            _draw_button("Resume reading", "play_arrow", source.resume)
        elif reading:
            st.caption("Reading captures …" if found else "Looking for captures …", width="content")
            _draw_button("Stop reading", "stop", source.pause)
        elif source.as_of is None:
            st.caption("Looking for captures …", width="content")
        else:
            components.as_of(source.as_of, now)
        live = st.toggle("Live", value=True, key="live", help="Refresh automatically.")
    if reading and found and progress:
        st.progress(progress.read / found, text=_describe_progress(progress))
    for note in source.place.notes if source.place else ():
        st.caption(escape_text(note))
    if source.problem is not None:
        components.error_state(source.problem)
    return live


def _draw_button(label: str, icon: str, act: Callable[[], None]) -> None:
    """Draw a button that acts before the line is drawn again, which then shows what it did.

    It acts for everybody who looks at these captures, so those who may only look have none.
    """
    if not _may_steer():
        return

    def steer() -> None:
        if _may_steer():  # a role may have been taken away since the page was drawn
            act()

    # A callback runs before the script does; the return value would come a line too late.
    st.button(label, icon=f":material/{icon}:", type="tertiary", on_click=steer)


def _may_steer() -> bool:
    return session.current_actor().may(Privilege.WATCH)


def _is_unfinished(progress: CaptureProgress | None) -> bool:
    """Return whether a pass has something left; one that finds nothing new is over at once."""
    return progress is not None and (progress.read < progress.found or not progress.all_listed)


def _describe_progress(progress: CaptureProgress) -> str:
    said = f"{progress.read:,} of {progress.found:,} objects read, {progress.rate:,.0f} a second"
    if progress.seconds_left is not None:
        return f"{said}, {progress.seconds_left:,.0f} s left"
    return f"{said}, still listing"
