"""Panels of the Failures page."""

import getpass
import io
import uuid
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import streamlit as st

from dashboard.executions import charts as execution_charts
from dashboard.executions.feed import ExecutionFeed
from dashboard.executions.model import ExecutionFilters
from dashboard.executions.opening import open_execution
from dashboard.failures import model, repairs
from dashboard.failures.inbox import outcomes
from dashboard.failures.notes import Notes
from dashboard.failures.repair_plan import ItemStatus, RepairItem, RepairRun, plan_repair
from dashboard.shared import components, page_address
from dashboard.shared.escaping import plain
from dashboard.shared.numbers import count
from dashboard.shared.palette import STYLES
from dashboard.shared.plots import plot
from dashboard.shared.query import write
from workflow.definitions import read_definition
from workflow.errors import WorkflowError
from workflow.executions import Kind, Outcome
from workflow.redrive import RedriveAction
from workflow.testcases import bundle
from workflow.timelines import timeline
from workflow.triage import FailureGroup, GroupStatus, TriageAction, TriageEvent

NO_BAR = {"displayModeBar": False, "staticPlot": True}
SILENCES = {1: "1 hour", 8: "8 hours", 24: "1 day", 168: "1 week"}
CHOICES = {"advised": "As advised", "redrive": "Redrive all", "restart": "Restart all"}
KIND_COLORS = {Kind.REJECTION: STYLES[Outcome.REJECTED].color, Kind.SILENT: "#CC79A7"}
_FAULT_COLOR = STYLES[Outcome.FAULTED].color


def filters(current: model.FailureFilters) -> model.FailureFilters:
    """The controls of the inbox, as they are set now."""
    show = st.segmented_control(
        "Show",
        ["open", "all"],
        default=current.show,
        required=True,
        format_func=lambda value: "Open" if value == "open" else "Also resolved and silenced",
    )
    kind = st.pills(
        "Kind",
        list(Kind),
        default=list(current.kind),
        selection_mode="multi",
        format_func=lambda kind: f"{model.KIND_ICONS[kind]} {kind.value}",
    )
    return replace(current, show="all" if show == "all" else "open", kind=tuple(kind))


def inbox(cards: tuple[model.GroupCard, ...], current: model.FailureFilters) -> None:
    """One card a group, what hurts most first; rejections below, as they are no failures."""
    rejections = tuple(card for card in cards if card.group.kind is Kind.REJECTION)
    failed = tuple(card for card in cards if card.group.kind is not Kind.REJECTION)
    if not failed:
        components.empty_state(
            "Nothing needs you", "No failure is open. Rejections and repairs are no failures."
        )
    _cards(failed, current)
    if rejections:
        st.markdown(f"**{STYLES[Outcome.REJECTED].word}**")
        st.caption("Answers with a confidence below the threshold: nothing is broken.")
        _cards(rejections, current)


def _cards(cards: tuple[model.GroupCard, ...], current: model.FailureFilters) -> None:
    for card in cards:
        with st.container(border=True):
            left, right = st.columns([3, 1], vertical_alignment="center")
            digest = card.group.fingerprint.digest
            with left, st.container(gap=None):
                st.markdown(card.badges)
                if st.button(f"**{plain(card.title)}**", key=f"open-{digest}", type="tertiary"):
                    page_address.go(replace(current, group=digest))
                st.caption(card.facts)
            with right:
                color = KIND_COLORS.get(card.group.kind, _FAULT_COLOR)
                plot(
                    execution_charts.trend(card.group.trend, color),
                    config=NO_BAR,
                    key=f"trend-{digest}",
                    alt=f"Failures of the last 24 hours: {', '.join(map(str, card.group.trend))}",
                )


def headline(card: model.GroupCard) -> None:
    """What a group is, what probably causes it, and what to do."""
    group = card.group
    st.markdown(card.badges)
    st.subheader(plain(card.title), anchor=False)
    st.caption(card.facts)
    with st.container(border=True):
        st.markdown(f"**Probable cause.** {plain(group.diagnosis.cause)}")
        st.markdown(f"**Remedy.** {plain(group.diagnosis.remedy)}")
    with st.expander("Why these are one problem", icon=":material/fingerprint:"):
        st.markdown(plain(model.why(group)))
        if said := group.sample.cause or group.sample.error:
            st.code(said, language="json", wrap_lines=True)
        else:
            st.caption("The execution names neither an error nor a cause.")


def tabs(feed: ExecutionFeed, group: FailureGroup, groups: tuple[FailureGroup, ...]) -> None:
    """What can be done about a group."""
    decide, mend, look, prove = st.tabs(["Decide", "Repair", "Executions", "Test"], key="group")
    with decide, components.explained():
        triage(feed, group, groups)
    with mend, components.explained():
        repair(feed, group)
    with look:
        examples(group)
    with prove, components.explained():
        test_case(feed, group)


def examples(group: FailureGroup) -> None:
    """The newest executions and the images touched."""
    st.page_link(
        "app_pages/executions.py",
        label=f"All {count(group.count, 'execution')} of this problem",
        icon=":material/list:",
        query_params=write(ExecutionFilters(hours=0, group=group.fingerprint.digest)),
    )
    st.markdown("**Newest executions**")
    for arn in group.examples:
        st.page_link(
            "app_pages/executions.py",
            label=plain(arn.rpartition(":")[2]),
            icon=":material/timeline:",
            query_params=write(ExecutionFilters(execution=arn)),
        )
    if group.images:
        shown = ", ".join(image.rpartition("/")[2] for image in group.images[:5])
        more = f" and {len(group.images) - 5:,} more" if len(group.images) > 5 else ""  # noqa: PLR2004 - five are shown
        st.caption(f"Images: {plain(shown)}{more}")


def triage(feed: ExecutionFeed, group: FailureGroup, groups: tuple[FailureGroup, ...]) -> None:
    """What the team decides about a group; each decision is a note that stays."""
    with st.container(horizontal=True):
        if group.status is not GroupStatus.ACKNOWLEDGED and st.button(
            "Acknowledge", icon=":material/visibility:"
        ):
            note(feed, group, TriageAction.ACKNOWLEDGE)
        if group.status is GroupStatus.RESOLVED:
            if st.button("Reopen", icon=":material/replay:"):
                note(feed, group, TriageAction.REOPEN)
        else:
            resolve(feed, group)
        silence(feed, group)
        regroup(feed, group, groups)
    if feed.notes.stay_here:
        st.caption(
            f":material/computer: Decisions stay on this machine: {plain(feed.notes.reason)}"
        )
    text = st.text_input("Comment", key=f"comment-{group.fingerprint.digest}-{len(group.notes)}")
    if text and text.strip():
        note(feed, group, TriageAction.COMMENT, text=text.strip())
    for event in reversed(group.notes):
        history(feed, group, event)


def resolve(feed: ExecutionFeed, group: FailureGroup) -> None:
    """Say that it is repaired, and in which version."""
    with st.popover("Resolve", icon=":material/check:"):
        version = st.text_input(
            "In version",
            help="Failures of older versions are then no regression. Empty: as of now.",
        )
        if st.button("Resolve", type="primary", key="resolve-now"):
            note(feed, group, TriageAction.RESOLVE, version=(version or "").strip() or None)


def silence(feed: ExecutionFeed, group: FailureGroup) -> None:
    """Want no alerts for a while."""
    with st.popover("Silence", icon=":material/notifications_off:"):
        hours = st.selectbox("For", list(SILENCES), format_func=SILENCES.__getitem__)
        if hours and st.button("Silence", type="primary", key="silence-now"):
            until = model.silence_end(hours, now=datetime.now(UTC))
            note(feed, group, TriageAction.SILENCE, until=until)


def regroup(feed: ExecutionFeed, group: FailureGroup, groups: tuple[FailureGroup, ...]) -> None:
    """Split a group by a text, or merge it with another."""
    with st.popover("Regroup", icon=":material/call_split:"):
        contains = st.text_input("Split off failures whose error or cause contains")
        if contains and st.button("Split", key="split-now"):
            note(feed, group, TriageAction.SPLIT, contains=contains)
        others = {one.fingerprint.digest: model.title(one) for one in groups if one is not group}
        into = st.selectbox("Merge with", list(others), index=None, format_func=others.__getitem__)
        if into and st.button("Merge", key="merge-now"):
            note(feed, group, TriageAction.MERGE, into=into)


def history(feed: ExecutionFeed, group: FailureGroup, event: TriageEvent) -> None:
    """One note, with a way to take it back."""
    extra = event.version or event.contains or event.into or ""
    until = f" until {event.until:%d %b %H:%M} UTC" if event.until else ""
    said = f": {event.text}" if event.text else ""
    left, right = st.columns([6, 1], vertical_alignment="center")
    left.caption(
        plain(f"{event.at:%d %b %H:%M} UTC, {event.author}: {event.action} {extra}{until}{said}")
    )
    if right.button("Undo", key=f"undo-{event.id}", type="tertiary"):
        note(feed, group, TriageAction.UNDO, undoes=event.id)


def note(feed: ExecutionFeed, group: FailureGroup, action: TriageAction, **said: object) -> None:
    """Write a note and show what follows from it."""
    event = TriageEvent(
        id=uuid.uuid4().hex,
        at=datetime.now(UTC),
        author=author(),
        fingerprint=group.fingerprint.digest,
        action=action,
        **said,  # type: ignore[arg-type]  # named and typed by TriageEvent
    )
    components.act("writing the decision", lambda: feed.notes.append(event))
    st.rerun()


def author() -> str:
    """Who is at the page: the login where there is one, else the user of this machine."""
    return str(st.user.get("email") or getpass.getuser())


def unread_notes(notes: Notes) -> None:
    """Name the notes that could not be read."""
    for problem in notes.problems:
        st.warning(plain(problem), icon=":material/warning:")


def repair(feed: ExecutionFeed, group: FailureGroup) -> None:
    """The adviser's word, the dry run, and the button."""
    watched = components.connection().watched
    machine = _machine(feed)
    dry = model.dry_run(
        group,
        feed.listing(),
        feed.failures(),
        now=datetime.now(UTC),
        current_version=feed.current_version(datetime.now(UTC)),
        state_types=machine,
    )
    if dry.advice is None:
        return
    st.markdown(f"**{dry.advice.action.capitalize()}.** {plain(dry.advice.reason)}")
    choice = st.segmented_control(
        "Repair", list(CHOICES), default="advised", format_func=CHOICES.__getitem__, required=True
    )
    actions = model.override(dry.actions, choice or "advised")
    table = model.planned(dry, actions)
    st.dataframe(table, hide_index=True, height=220, alt="The dry run, one row an execution")
    rows = feed.listing().select("arn", "redrive_count").rows()
    counts = dict(rows)
    plan = plan_repair(
        [
            RepairItem(arn=arn, action=action, redrive_count=counts[arn])
            for arn, action in actions.items()
        ],
        now=datetime.now(UTC),
        author=author(),
        fingerprint=group.fingerprint.digest,
        target=watched.started_through,
    )
    redrives = sum(item.action is RedriveAction.REDRIVE for item in plan.items)
    label = f"Redrive {redrives:,}, restart {len(plan.items) - redrives:,}"
    if st.button(label, type="primary", disabled=not plan.items, icon=":material/build:"):
        jobs, connection = components.jobs(), components.connection()
        components.act("starting the repair", lambda: repairs.start(jobs, connection, feed, plan))
        st.rerun()


def runs(feed: ExecutionFeed, digest: str | None) -> None:
    """Repairs of a group, or of all: progress, results, stop and resume."""
    for run in feed.repair_runs():
        if digest in (None, run.plan.fingerprint):
            with st.container(border=True):
                repair_run(feed, run)


def repair_run(feed: ExecutionFeed, run: RepairRun) -> None:
    """One repair run, followed to the end of what it started."""
    jobs, plan = components.jobs(), run.plan
    job = jobs.get(repairs.job_key(plan))
    running = job is not None and job.running
    total, done = len(plan.items), len(run.results)
    st.markdown(f"**Repair of {total:,}** by {plain(plan.author)}, {plan.at:%H:%M} UTC")
    st.progress(done / total if total else 1.0, text=f"{done:,} of {total:,} done")
    if running and st.button("Stop", key=f"stop-{plan.id}", icon=":material/stop:"):
        repairs.stop(plan)
    if not running and run.pending:
        st.warning(f"{len(run.pending):,} were not reached. Nothing is done twice when you resume.")
        if st.button("Resume", key=f"resume-{plan.id}", icon=":material/play_arrow:"):
            repairs.resume(jobs, components.connection(), feed, run)
            st.rerun()
    if job is not None:
        components.job_failure(job, repairs.job_key(plan))
    followed = [
        (one.started or one.arn, one.status.value, one.message) for one in run.results.values()
    ]
    now = outcomes(feed.listing(), [arn for arn, _, _ in followed])
    refused = sum(one.status is ItemStatus.REFUSED for one in run.results.values())
    fixed = sum(now.get(arn) in (Outcome.ACCEPTED, Outcome.UNEXAMINED) for arn, _, _ in followed)
    st.caption(f"{fixed:,} have succeeded since, {refused:,} were refused.")
    with st.expander("Each of them"):
        st.dataframe(
            model.repair_table(followed, now), hide_index=True, alt="What became of each execution"
        )


def test_case(feed: ExecutionFeed, group: FailureGroup) -> None:
    """A bundle that replays the newest failure, made when asked for."""
    key = f"bundle-{group.fingerprint.digest}"
    if st.button("Make a test of the newest failure", icon=":material/science:"):
        st.session_state[key] = components.act("making the test", lambda: _bundle(feed, group))
    if key in st.session_state:
        st.download_button(
            "Download the test",
            st.session_state[key],
            f"failure-{group.fingerprint.digest}.zip",
            "application/zip",
            icon=":material/download:",
            on_click="ignore",
        )
        st.caption("A pytest file and a TestState call. Secrets and image bytes are redacted.")


def _bundle(feed: ExecutionFeed, group: FailureGroup) -> bytes:
    record = open_execution(feed.states, feed.store, group.sample.execution_arn)
    visits = [visit for visit in timeline(record.events) if visit.name == group.sample.state]
    if not visits:
        raise WorkflowError(
            "StateNotRecorded",
            "The history does not hold the state that failed.",
            "Take another execution of the group; histories are kept for 90 days.",
        )
    files = bundle(group.sample, visits[-1], record.definition).files
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


def _machine(feed: ExecutionFeed) -> dict[str, str]:
    try:
        graph = read_definition(feed.definition(datetime.now(UTC)))
    except WorkflowError:
        return {}  # the adviser then judges without the type of the state
    return {node.name: node.type for node in graph.nodes}
