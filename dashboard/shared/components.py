"""What every page shows alike: the cloud, titles, outcomes, and empty, error and "as of" states.

More than 400 lines because what every page shows alike is looked for in one place.
"""

import time
import uuid
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.aws import submissions
from dashboard.aws.cloud import Cloud, Connection
from dashboard.shared import cloud_reads, numbers, time_range_panel
from dashboard.shared.cloud_reads import CloudRead, CloudReads
from dashboard.shared.connections import cloud_connection, connection, registry
from dashboard.shared.escaping import escape_prose, escape_text
from dashboard.shared.jobs import DEPLOYMENT, Job, Jobs
from dashboard.shared.palette import STYLES, format_pill
from dashboard.shared.permits import require_permit
from workflow.access import Privilege
from workflow.errors import WorkflowError
from workflow.executions import Outcome
from workflow.known_errors import passes_by_itself
from workflow.submissions import StoredImage

__all__ = ["cloud_connection", "connection", "registry"]
"""Imported here for pages, which find what they share in one place."""

T = TypeVar("T")

TICK_SECONDS = 0.75
"""How often a running job is redrawn."""

AWAITED_SECONDS = 1.0
"""How often a page looks whether what it waits for is there."""

RETRY_SECONDS = 5.0  # a page that shows an error is then run again
_SAID = "problems-said"
"""Key of the session: titles of the reads whose failure stands at the top of the page."""

ACTION_PATIENCE_S = 4.0
"""How long a page waits for what a button does."""

ACTION_TOLD = timedelta(minutes=2)
"""How long it is told that an action failed."""


@st.cache_resource(show_spinner=False)
def background_jobs() -> Jobs:
    """Return the background jobs of this process, shared by every session."""
    return Jobs()


@st.cache_resource(show_spinner=False)
def shared_reads() -> CloudReads:
    """Return what this process has read of the cloud for its pages, shared by every session."""
    return CloudReads()


@st.cache_resource(show_spinner=False)
def picture_cache() -> CloudReads:
    """Return the small pictures by content, likewise."""
    return CloudReads(kept=2_000)


def read_cloud(
    service: str, key: Hashable, title: str, work: Callable[[], T], *, fresh_s: float = 30.0
) -> T:
    """Return what ``work`` reads of the cloud, as ``CloudReads.get`` does.

    A deployment by this process makes every earlier answer old.

    Raises:
        WorkflowError: AWS's own code; ``StillWaiting`` where it has not answered in time.
    """
    return shared_reads().get(service, _complete_key(key), title, work, fresh_s=fresh_s)


def begin_read(
    service: str, key: Hashable, title: str, work: Callable[[], T], *, fresh_s: float = 30.0
) -> None:
    """Begin what ``read_cloud`` reads, without waiting; several reads then run at once."""
    shared_reads().start(service, _complete_key(key), title, work, fresh_s=fresh_s)


def _complete_key(key: Hashable) -> tuple[Hashable, ...]:
    """Return a key with all that an answer depends on beside it."""
    deploy = background_jobs().get(DEPLOYMENT)
    # A deployment changes what AWS answers: both its start and its end make other keys.
    deployed = deploy and (deploy.started_at, deploy.running)
    here = connection()
    return (here.cloud, here.watched.reference, deployed, key)


def run_action(
    title: str, privilege: Privilege, work: Callable[[Connection], T], *, request: str = ""
) -> T:
    """Do in the background what a button asks for, and record it; return its result if it is soon.

    What ends later is told at the top of the page, if it failed.

    Args:
        title: What is done, for the top of the page.
        privilege: What the person needs for it.
        work: Does it, with a connection that makes the calls of the privilege.
        request: What is asked for, for the audit, where the title does not say it.

    Raises:
        WorkflowError: ``NotPermitted``; ``AuditNotWritten``; AWS's own code; ``StillWaiting`` while
            it goes on.
    """
    permitted = require_permit(privilege)

    def audited() -> T:
        # Recorded in the thread that acts: by then the page may be gone.
        with permitted.record_action(f"{title}: {request}" if request else title):
            return work(permitted.connection)

    return in_background(title, audited)


def in_background(title: str, work: Callable[[], T]) -> T:
    """Do likewise what changes nothing.

    Raises:
        WorkflowError: AWS's own code; ``StillWaiting`` while it goes on.
    """
    # A key of its own for each press: no action is answered by that of another.
    key = uuid.uuid4().hex
    try:
        with cloud_reads.limit_waits(ACTION_PATIENCE_S):
            return shared_reads().get("action", key, title, work, fresh_s=float("inf"))
    except WorkflowError as error:
        if error.code == cloud_reads.STILL_WAITING:
            # It is fresh for ever, so this finds the action that runs already and starts no second
            # one.
            found = shared_reads().start("action", key, title, work, fresh_s=float("inf"))
            st.session_state.setdefault("actions", []).append(found.last)
        raise


def is_workflow_deployed() -> bool:
    """Return whether the workflow is deployed; taken to be so where AWS cannot be reached.

    What was read of a workflow of somebody else is shown, also when that is gone.

    Raises:
        WorkflowError: AWS's own code for any answer but yes and no.
    """
    cloud = connection()
    if not cloud.watched.deployed:
        return True
    arn = cloud.watched.started_through
    try:
        return read_cloud(
            "states",
            ("deployed", arn),
            "whether the workflow is deployed",
            lambda: submissions.is_deployed(cloud),
            fresh_s=5.0,
        )
    except WorkflowError as error:
        if passes_by_itself(error.code):
            error_state(error)
        elif error.code != cloud_reads.STILL_WAITING:
            raise
        return True


def load_thumbnail(image: StoredImage) -> bytes:
    """Return a small JPEG of an image in S3.

    Raises:
        WorkflowError: It is not there, or is not an image; ``StillWaiting`` while it is fetched.
    """
    cloud = connection()
    key = (cloud.cloud, image.location.bucket, image.location.key, image.sha256)
    title = f"the picture of {image.name}"
    return picture_cache().get(
        "s3",
        key,
        title,
        lambda: submissions.fetch_stored_thumbnail(cloud, image),
        fresh_s=float("inf"),
    )


def find_thumbnail(image: StoredImage) -> bytes | None:
    """Return what ``load_thumbnail`` does; None where there is none yet, or none at all."""
    try:
        return load_thumbnail(image)
    except WorkflowError:
        return None


@contextmanager
def page_run() -> Iterator[None]:
    """Run a page: no read is waited for longer than a person would, and what is late is followed.

    What is awaited or could not be read again is said at the top; the page is run again for it.
    """
    # Made before the page and filled after it: only then it is known what was late.
    place = st.container()
    st.session_state[_SAID] = ()
    late: Sequence[CloudRead] = ()
    try:
        with follow_reads(place) as late:
            try:
                yield
            finally:
                with place:
                    _failed_actions()
    finally:
        # The parts of the page that are run again by themselves need not say it again.
        st.session_state[_SAID] = tuple(one.title for one in late)


@contextmanager
def follow_reads(place: DeltaGenerator) -> Iterator[Sequence[CloudRead]]:
    """Say in a place what this block awaits or could not read again; the block around it may do so.

    Args:
        place: A container above what the block draws.

    Yields:
        The reads of the block that were late or failed; complete at its end.
    """
    # A fragment that is run by itself has no page around it that would say so.
    outermost = not cloud_reads.is_awaited()
    with cloud_reads.limit_waits() as late:
        try:
            yield late
        finally:
            if outermost:
                with place:
                    _show_awaited(late)


def _failed_actions() -> None:
    """Say what became of actions that took longer than their button waited."""
    actions: list[CloudRead] = st.session_state.get("actions", [])
    for action in actions:
        if isinstance(action.problem, WorkflowError):
            st.caption(escape_text(f"Not done: {action.title}."))
            error_state(action.problem)
    # Told for a while: who pressed the button may be on another page by now.
    recent = datetime.now(UTC) - ACTION_TOLD
    st.session_state["actions"] = [one for one in actions if one.running or one.since > recent]


def _show_awaited(late: Sequence[CloudRead]) -> None:
    """Say what is awaited, or failed, and what is shown meanwhile; run the page again with it."""
    each_once = list(dict.fromkeys(late))
    awaited = [one for one in each_once if one.running]
    _show_failed([one for one in each_once if not one.running])
    if not awaited:
        return

    def tick() -> None:
        now = datetime.now(UTC)
        for one in awaited:
            st.caption(f":material/hourglass: {escape_text(_awaited_words(one, now))}")
        # One is enough: the page then shows it, and waits for the rest by itself.
        if any(not one.running for one in awaited):
            st.rerun()

    # A fragment, so that looking every second does not run the whole page every second.
    st.fragment(tick, run_every=AWAITED_SECONDS)()


def _show_failed(failed: Sequence[CloudRead]) -> None:
    """Warn of reads that failed where something older is shown; run the page again later."""
    said = st.session_state.get(_SAID, ())
    new = [one for one in failed if one.title not in said]
    # Those that need the same remedy are one problem.
    problems = {
        one.problem.remedy: str(one.problem)
        for one in new
        if isinstance(one.problem, WorkflowError)
    }
    if not problems:
        return
    titles = ", ".join(one.title for one in new)
    times = {one.as_of for one in new if one.as_of}
    oldest = f", as of {time_range_panel.format_clock(min(times))}" if times else ""
    later = " or later" if len(times) > 1 else ""
    shown = escape_text(f"{titles}{oldest}{later}")
    lead = f"**Could not be read again, so older data are shown:** {shown}.  \n"
    show_problems(list(problems.values()), lead, icon=":material/history:")
    _run_again_later()


def _awaited_words(one: CloudRead, now: datetime) -> str:
    shown = (
        f" What is shown is as of {time_range_panel.format_clock(one.as_of)}." if one.as_of else ""
    )
    waited = numbers.format_age(one.since, now)
    return (
        f"AWS has not answered for {waited}: {one.title}.{shown} The page follows once it answers."
    )


@contextmanager
def show_errors() -> Iterator[None]:
    """Show a ``WorkflowError`` of this block in its place, with the remedy; the page goes on.

    One that passes by itself is tried again by itself.
    """
    try:
        with cloud_reads.limit_waits():
            yield
    except WorkflowError as error:
        error_state(error)
        if error.code != cloud_reads.STILL_WAITING and passes_by_itself(error.code):
            _run_again_later()


def get_cloud() -> Cloud | None:
    """Return the cloud; where it cannot be reached say why, and offer to try again."""
    try:
        return cloud_connection().cloud
    except WorkflowError as error:
        error_state(error)
        if st.button("Try again", icon=":material/replay:"):
            st.rerun()
        _run_again_later()
        return None


def _run_again_later() -> None:
    """Run the page again in ``RETRY_SECONDS``, also where nobody touches it."""
    began = time.monotonic()

    def tick() -> None:
        if time.monotonic() - began > RETRY_SECONDS / 2:  # not in the run that draws the error
            st.rerun()

    st.fragment(tick, run_every=RETRY_SECONDS)()


def page_header(title: str, purpose: str) -> None:
    """Show the page's title and, in one sentence, what it is for."""
    st.title(title, anchor=False)
    st.caption(purpose)


def cloud_badge(cloud: Cloud) -> None:
    """Show the cloud, account and region, and whether the cloud had to be started again."""
    with st.sidebar:
        icon, color = (
            (":material/cloud:", "orange")
            if cloud.name == "AWS"
            else (":material/computer:", "blue")
        )
        st.markdown(f":{color}-badge[{icon} **{cloud.name}**]")
        where = (
            f"  \n{escape_text(urlsplit(cloud.endpoint_url).netloc)}" if cloud.endpoint_url else ""
        )
        st.caption(
            f"Account {cloud.account}  \nRegion {cloud.region}"
            f"  \n(from {escape_text(cloud.region_source)}){where}"
        )
    # Every session is told once: it compares with the process that it saw first.
    known = st.session_state.setdefault("cloud_pid", cloud.pid)
    if known != cloud.pid:
        st.session_state["cloud_pid"] = cloud.pid
        st.toast(
            "The local cloud had stopped and was started again. Finished executions are "
            "intact; those that were running are shown as aborted.",
            icon=":material/restart_alt:",
            duration="long",
        )


def empty_state(title: str, body: str, *, page: str = "", label: str = "") -> None:
    """Say that there is nothing yet, and link to the page that comes first.

    Args:
        title: What is not there, such as "No executions yet".
        body: One sentence: when there will be something.
        page: Path of the page to go to, such as ``app_pages/classify.py``; none where empty.
        label: What the link to it says.
    """
    with st.container(border=True, horizontal_alignment="center", gap="xsmall"):
        st.markdown(f"**{title}**", width="content")
        st.caption(body, width="content", text_alignment="center")
        if page:
            st.page_link(page, label=label, icon=":material/arrow_forward:")


def choose_view(views: Sequence[str], on_change: Callable[[], None] | None = None) -> str:
    """Return the view of a page that is chosen, the first by default; in the address too.

    Args:
        views: Their titles.
        on_change: Called when another view is chosen, before the page is drawn.
    """
    chosen = st.segmented_control(
        "View",
        views,
        default=views[0],
        key="view",
        required=True,
        bind="query-params",
        on_change=on_change,
        label_visibility="collapsed",
    )
    return str(chosen or views[0])


def error_state(error: WorkflowError) -> None:
    """Show what happened and what to do next; never a traceback."""
    # Both may quote a file name or a key; the remedy may hold a command in backticks.
    said = (
        f"**{escape_text(error.message)}**  \n{escape_prose(error.remedy)}  "
        f"\n:gray[{escape_text(error.code)}]"
    )
    if error.code == cloud_reads.STILL_WAITING:
        st.info(said, icon=":material/hourglass:")
        return
    st.error(said, icon=":material/error:")


def show_problems(
    problems: Sequence[str], lead: str = "", *, icon: str = ":material/warning:"
) -> None:
    """Warn of problems: the first one is seen, the others are folded, lest they fill the screen.

    Args:
        problems: What happened and what to do, as sentences; none shows nothing.
        lead: Markdown before the first one.
        icon: Of the warning.
    """
    for first in problems[:1]:
        st.warning(lead + escape_prose(first), icon=icon)
    if others := problems[1:]:
        with st.expander(numbers.format_count(len(others), "more problem")):
            for other in others:
                st.markdown(escape_prose(other))


def as_of(moment: datetime, now: datetime) -> None:
    """Show the age of the data, with the exact time."""
    st.caption(
        f"As of {time_range_panel.format_clock(moment)}, {numbers.format_age(moment, now)} ago"
    )


def outcome_counts(counts: Mapping[Outcome, int]) -> None:
    """Show the count of each outcome that is not zero, as pills in one line."""
    st.markdown(
        " ".join(
            format_pill(outcome, f"{counts[outcome]} {style.word.lower()}")
            for outcome, style in STYLES.items()
            if counts.get(outcome)
        )
    )


def not_deployed() -> None:
    """Say that a page needs the workflow, which is not deployed."""
    empty_state(
        "The workflow is not deployed yet",
        "One click on the Deployment page deploys it; then photos can be classified.",
        page="app_pages/deployment.py",
        label="Go to Deployment",
    )


def check_deployed() -> bool:
    """Return whether the workflow is deployed; where it is not, say so."""
    found = is_workflow_deployed()
    if not found:
        not_deployed()
    return found


def job_failure(job: Job, key: str) -> None:
    """Show why a job ended early, with a button to try again; nothing where it did not."""
    try:
        job.raise_failure()
    except Exception as error:  # noqa: BLE001 - a fragment that raises would do so at every tick
        error_state(error if isinstance(error, WorkflowError) else _unexpected_error(job, error))
        if st.button("Try again", icon=":material/replay:"):
            background_jobs().forget(key)
            st.rerun()


def _unexpected_error(job: Job, error: Exception) -> WorkflowError:
    return WorkflowError(
        "UnexpectedError",
        f"{job.title} ended with an unexpected error ({type(error).__name__}: {error}).",
        "This is a defect of this project: report it with this text. What was started before "
        "continues, and is on the Executions page.",
    )


def watch_job(key: str, show: Callable[[Job], None]) -> Job | None:
    """Show a job, again and again while it runs; then run the whole page once more.

    Args:
        key: The job's key.
        show: Draws the job, on its own: the rest of the page rests meanwhile.

    Returns:
        The job, or None where there is none.
    """
    job = background_jobs().get(key)
    if job is None:
        return None
    # As of this run of the page: the fragment below may end later than that.
    ticking = job.running

    def tick(found: Job) -> None:
        ended = not found.running
        with show_errors():
            show(found)
        job_failure(found, key)
        # The whole page once more: it shows other things when no job is under way.
        if ticking and ended:
            st.rerun()

    st.fragment(tick, run_every=TICK_SECONDS if ticking else None)(job)
    return job
