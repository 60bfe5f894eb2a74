"""Panels of the Failures page."""

import io
import uuid
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import streamlit as st

from dashboard.executions import charts as execution_charts
from dashboard.executions.execution_reader import open_execution
from dashboard.executions.model import ExecutionFilters
from dashboard.failures import model
from dashboard.failures.feed import FailureFeed
from dashboard.failures.notes import Notes
from dashboard.failures.repair_panel import current_author, show_repair
from dashboard.shared import components, page_address, time_range_panel
from dashboard.shared.escaping import clean_block, escape_prose, escape_text
from dashboard.shared.numbers import format_count
from dashboard.shared.palette import STYLES
from dashboard.shared.plots import draw_figure
from dashboard.shared.query import write_filters
from dashboard.shared.time_range import LONGEST
from workflow.access import Privilege
from workflow.errors import WorkflowError
from workflow.executions import Kind, Outcome
from workflow.testcases import bundle
from workflow.timelines import timeline
from workflow.triage import FailureGroup, GroupStatus
from workflow.triage_notes import TriageAction, TriageEvent, to_line

NO_BAR = {"displayModeBar": False, "staticPlot": True}
KIND_COLORS = {Kind.REJECTION: STYLES[Outcome.REJECTED].color, Kind.SILENT: "#CC79A7"}
_FAULT_COLOR = STYLES[Outcome.FAULTED].color


def choose_filters(current: model.FailureFilters) -> model.FailureFilters:
    """Return the controls of the inbox, as they are set now."""
    narrowed = current != model.FailureFilters()
    with st.expander("Filters", icon=":material/filter_list:", expanded=narrowed):
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


def show_inbox(cards: tuple[model.GroupCard, ...], current: model.FailureFilters) -> None:
    """Show a card for each group, most urgent first; rejections below, as they are no failures."""
    rejections = tuple(card for card in cards if card.group.kind is Kind.REJECTION)
    failed = tuple(card for card in cards if card.group.kind is not Kind.REJECTION)
    if not failed:
        components.empty_state(
            "Nothing needs attention",
            "No failure is open. Rejections and repairs do not count as failures.",
        )
    _show_cards(failed, current)
    if rejections:
        st.markdown(f"**{STYLES[Outcome.REJECTED].word}**")
        st.caption("Answers with a confidence below the threshold: nothing is broken.")
        _show_cards(rejections, current)


def _show_cards(cards: tuple[model.GroupCard, ...], current: model.FailureFilters) -> None:
    picked = [card.group.fingerprint.digest for card in cards if _show_card(card, current)]
    if picked and st.button(
        f"Repair {format_count(len(picked), 'problem')}", type="primary", icon=":material/build:"
    ):
        page_address.go_to(replace(current, repair=tuple(picked)))


def _show_card(card: model.GroupCard, current: model.FailureFilters) -> bool:
    """Show a group; return whether it was picked for a repair together with others."""
    digest = card.group.fingerprint.digest
    with st.container(border=True):
        left, right = st.columns([3, 1], vertical_alignment="center")
        with left, st.container(gap=None):
            st.markdown(card.badges)
            if st.button(f"**{escape_text(card.title)}**", key=f"open-{digest}", type="tertiary"):
                page_address.go_to(replace(current, group=digest))
            st.caption(card.facts)
            picked = card.group.kind is not Kind.REJECTION and st.checkbox(
                "Repair together with others", key=f"pick-{digest}"
            )
        with right:
            color = KIND_COLORS.get(card.group.kind, _FAULT_COLOR)
            draw_figure(  # it has no texts
                execution_charts.draw_trend(card.group.trend, color),
                config=NO_BAR,
                key=f"trend-{digest}",
                alt=f"Failures over the time range: {', '.join(map(str, card.group.trend))}",
            )
    return picked


def show_headline(card: model.GroupCard) -> None:
    """Show what a group is, what probably causes it, and what to do."""
    group = card.group
    st.markdown(card.badges)
    st.header(escape_text(card.title), anchor=False)
    st.caption(card.facts)
    with st.container(border=True):
        st.markdown(f"**Probable cause.** {escape_text(group.diagnosis.cause)}")
        st.markdown(f"**Remedy.** {escape_prose(group.diagnosis.remedy)}")
    with st.expander("Why these are one problem", icon=":material/fingerprint:"):
        st.markdown(escape_text(model.explain_grouping(group)))
        if said := group.sample.cause or group.sample.error:
            st.code(clean_block(said), language=None, wrap_lines=True)
        else:
            st.caption("The execution names neither an error nor a cause.")


def show_tabs(feed: FailureFeed, group: FailureGroup, groups: tuple[FailureGroup, ...]) -> None:
    """Show what can be done about a group."""
    decide, mend, look, prove = st.tabs(["Decide", "Repair", "Executions", "Test"], key="group")
    with decide, components.show_errors():
        show_triage(feed, group, groups)
    with mend, components.show_errors():
        show_repair(feed, [group])
    with look:
        show_examples(group)
    with prove, components.show_errors():
        test_case(feed, group)


def show_examples(group: FailureGroup) -> None:
    """Show the newest executions and the images touched."""
    st.page_link(
        "app_pages/executions.py",
        label=f"All {format_count(group.count, 'execution')} of this problem",
        icon=":material/list:",
        query_params={
            **write_filters(ExecutionFilters(group=group.fingerprint.digest)),
            "range": LONGEST,
        },
    )
    st.markdown("**Newest executions**")
    for arn in group.examples:
        st.page_link(
            "app_pages/executions.py",
            label=escape_text(arn.rpartition(":")[2]),
            icon=":material/timeline:",
            query_params=write_filters(ExecutionFilters(execution=arn)),
        )
    if group.images:
        shown = ", ".join(image.rpartition("/")[2] for image in group.images[:5])
        more = f" and {len(group.images) - 5:,} more" if len(group.images) > 5 else ""  # noqa: PLR2004 - five are shown
        st.caption(f"Images: {escape_text(shown)}{more}")


def show_triage(feed: FailureFeed, group: FailureGroup, groups: tuple[FailureGroup, ...]) -> None:
    """Show the team's decisions about a group; each is a note that stays."""
    with st.container(horizontal=True):
        if group.status is not GroupStatus.ACKNOWLEDGED and st.button(
            "Acknowledge", icon=":material/visibility:"
        ):
            write_note(feed, group, TriageAction.ACKNOWLEDGE)
        if group.status is GroupStatus.RESOLVED:
            if st.button("Reopen", icon=":material/replay:"):
                write_note(feed, group, TriageAction.REOPEN)
        else:
            show_resolve(feed, group)
        show_silence(feed, group)
        show_regroup(feed, group, groups)
    if feed.notes.stay_here:
        st.caption(
            f":material/computer: Decisions stay on this machine: {escape_text(feed.notes.reason)}"
        )
    text = st.text_input("Comment", key=f"comment-{group.fingerprint.digest}-{len(group.notes)}")
    if text and text.strip():
        write_note(feed, group, TriageAction.COMMENT, text=text.strip())
    for event in reversed(group.notes):
        show_note(feed, group, event)


def show_resolve(feed: FailureFeed, group: FailureGroup) -> None:
    """Say that it is repaired, and in which version."""
    with st.popover("Resolve", icon=":material/check:"):
        version = st.text_input(
            "In version",
            help="Failures of older versions then do not count as a regression. Empty: as of now.",
        )
        if st.button("Resolve", type="primary", key="resolve-now"):
            write_note(feed, group, TriageAction.RESOLVE, version=(version or "").strip() or None)


def show_silence(feed: FailureFeed, group: FailureGroup) -> None:
    """Offer to silence a group's alerts for a while."""
    with st.popover("Silence", icon=":material/notifications_off:"):
        hours = st.selectbox("For", list(model.SILENCES), format_func=model.SILENCES.__getitem__)
        if hours and st.button("Silence", type="primary", key="silence-now"):
            until = model.silence_end(hours, now=datetime.now(UTC))
            write_note(feed, group, TriageAction.SILENCE, until=until)


def show_regroup(feed: FailureFeed, group: FailureGroup, groups: tuple[FailureGroup, ...]) -> None:
    """Split a group by a text, or merge it with another."""
    with st.popover("Regroup", icon=":material/call_split:"):
        contains = st.text_input("Split off failures whose error or cause contains")
        if contains and st.button("Split", key="split-now"):
            write_note(feed, group, TriageAction.SPLIT, contains=contains)
        others = {
            one.fingerprint.digest: model.group_title(one) for one in groups if one is not group
        }
        into = st.selectbox(
            "Merge with",
            list(others),
            index=None,
            format_func=others.__getitem__,
            key="merge-with",  # the others come in another order when the page is drawn again
        )
        if into and st.button("Merge", key="merge-now"):
            write_note(feed, group, TriageAction.MERGE, into=into)


def show_note(feed: FailureFeed, group: FailureGroup, event: TriageEvent) -> None:
    """Show one note, with a button that takes it back."""
    extra = event.version or event.contains or event.into or ""
    until = f" until {time_range_panel.format_in_zone(event.until)}" if event.until else ""
    said = f": {event.text}" if event.text else ""
    left, right = st.columns([6, 1], vertical_alignment="center")
    at = time_range_panel.format_in_zone(event.at)
    left.caption(escape_text(f"{at}, {event.author}: {event.action} {extra}{until}{said}"))
    if right.button("Undo", key=f"undo-{event.id}", type="tertiary"):
        write_note(feed, group, TriageAction.UNDO, undoes=event.id)


def write_note(
    feed: FailureFeed, group: FailureGroup, action: TriageAction, **said: object
) -> None:
    """Write a note and show what follows from it."""
    event = TriageEvent(
        id=uuid.uuid4().hex,
        at=datetime.now(UTC),
        author=current_author(),
        fingerprint=group.fingerprint.digest,
        action=action,
        **said,  # type: ignore[arg-type]  # named and typed by TriageEvent
    )
    components.run_action(
        "writing the decision",
        Privilege.TRIAGE,
        lambda _: feed.notes.append(event),
        request=to_line(event).decode(),
    )
    st.rerun()


def unread_notes(notes: Notes) -> None:
    """Name the notes that could not be read."""
    for problem in notes.problems:
        st.warning(escape_text(problem), icon=":material/warning:")


def test_case(feed: FailureFeed, group: FailureGroup) -> None:
    """Offer a bundle that replays the newest failure, made on request."""
    key = f"bundle-{group.fingerprint.digest}"
    if st.button("Make a test of the newest failure", icon=":material/science:"):
        st.session_state[key] = components.in_background(
            "making the test", lambda: _build_bundle(feed, group)
        )
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


def _build_bundle(feed: FailureFeed, group: FailureGroup) -> bytes:
    executions, arn = feed.executions, group.sample.execution_arn
    record = open_execution(executions.states, executions.store, arn)
    visits = [visit for visit in timeline(record.events) if visit.name == group.sample.state]
    if not visits:
        raise WorkflowError(
            "StateNotRecorded",
            "The history does not contain the failed state.",
            "Choose another execution of the group; histories are kept for 90 days.",
        )
    files = bundle(group.sample, visits[-1], record.definition).files
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()
