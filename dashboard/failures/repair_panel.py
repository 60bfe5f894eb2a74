"""The repair of failures in bulk: advice, dry run, start, progress and result."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isnan, nan

import streamlit as st

from dashboard.access import session
from dashboard.failures import model, repairs
from dashboard.failures.concurrency import NEW_ACCOUNT, half_of, read_repairs_at_once
from dashboard.failures.feed import FailureFeed
from dashboard.failures.inbox import find_outcomes
from dashboard.failures.repair_plan import (
    RepairItem,
    RepairRun,
    count_items,
    estimated_seconds,
    plan_repair,
)
from dashboard.shared import components, permits, time_range_panel
from dashboard.shared.cloud_reads import STILL_WAITING
from dashboard.shared.escaping import escape_text
from dashboard.shared.numbers import format_count, format_duration
from dashboard.shared.tables import clean_cells
from workflow.access import Privilege
from workflow.definitions import read_definition
from workflow.errors import WorkflowError
from workflow.redrive import RedriveAction
from workflow.triage import FailureGroup

CANARY = 3
"""Executions of a repair that are tried before the others."""

CHOICES = {"advised": "As advised", "redrive": "Redrive all", "restart": "Restart all"}


def repair_several(feed: FailureFeed, digests: Sequence[str]) -> None:
    """Show the repair of several groups in one run, and the runs of the first of them."""
    groups = [
        one for one in feed.read_inbox(datetime.now(UTC)) if one.fingerprint.digest in digests
    ]
    if groups:
        st.header(f"Repair of {format_count(len(groups), 'problem')}", anchor=False)
        show_repair(feed, groups)
    else:
        components.empty_state("These problems have no failures left", "All were repaired.")
    show_runs(feed, digests[0])


def show_repair(feed: FailureFeed, groups: Sequence[FailureGroup]) -> None:
    """Show the advice for each group, the dry run of all, and the button."""
    watched, machine, now = (
        components.connection().watched,
        _read_state_types(feed),
        datetime.now(UTC),
    )
    version = feed.executions.current_version()
    dries = [
        model.dry_run(
            group,
            feed.executions.listing(),
            feed.executions.failures(),
            now=now,
            current_version=version,
            state_types=machine,
        )
        for group in groups
    ]
    for group, one in zip(groups, dries, strict=True):
        if one.advice is not None:
            which = f"{escape_text(model.group_title(group))}: " if len(groups) > 1 else ""
            said = f"**{one.advice.action.capitalize()}.** {escape_text(one.advice.reason)}"
            st.markdown(f"{which}{said}")
    dry = model.combine_runs(dries)
    if dry.advice is None:
        return
    choice = st.segmented_control(
        "Repair", list(CHOICES), default="advised", format_func=CHOICES.__getitem__, required=True
    )
    actions = model.override_actions(dry.actions, choice or "advised")
    table = model.planned_table(dry, actions)
    st.dataframe(
        clean_cells(table),
        hide_index=True,
        height=220,
        alt="The dry run, one row an execution",
        column_config={model.FAILED_AT: time_range_panel.time_column(model.FAILED_AT)},
    )
    careful = st.toggle(
        f"Try {CANARY} first; the others follow once none of them has failed again",
        value=len(actions) > CANARY,
    )
    counts = dict(feed.executions.listing().select("arn", "redrive_count").rows())
    digests = tuple(group.fingerprint.digest for group in groups)
    plan = plan_repair(
        [
            RepairItem(arn=arn, action=action, redrive_count=counts[arn])
            for arn, action in actions.items()
        ],
        now=datetime.now(UTC),
        author=current_author(),
        fingerprint=digests[0],
        target=watched.started_through,
        groups=digests,
        canary=CANARY if careful else 0,
    )
    if not plan.items:
        st.caption("Running them again would change nothing, so there is nothing to start.")
        return
    _show_estimate(feed, len(plan.items))
    redrives = sum(item.action is RedriveAction.REDRIVE for item in plan.items)
    label = f"Redrive {redrives:,}, restart {len(plan.items) - redrives:,}"
    if st.button(label, type="primary", icon=":material/build:"):
        jobs, permit = components.background_jobs(), permits.require_permit(Privilege.REPAIR)
        components.in_background(
            "starting the repair", lambda: repairs.start_repair(jobs, permit, feed, plan)
        )
        st.rerun()


def _show_estimate(feed: FailureFeed, items: int) -> None:
    """Say how long a repair takes, as far as that is known."""
    with components.show_errors():
        at_once = _read_repairs_at_once()
        median = feed.executions.listing()["seconds"].median()
        seconds = estimated_seconds(items, at_once, median if isinstance(median, float) else nan)
        st.caption(
            f"About {format_duration(seconds)}: {at_once:,} at once, each of the median duration."
            if not isnan(seconds)
            else f"{at_once:,} at once; the duration of one is not known yet."
        )


def _read_repairs_at_once() -> int:
    """Return how many executions a repair has under way; as the repair itself where unknown."""
    connection = components.connection()
    try:
        return components.read_cloud(
            "lambda",
            "repairs at once",
            "how many executions may run at once",
            lambda: read_repairs_at_once(connection.client("lambda")),
            fresh_s=300.0,
        )
    except WorkflowError as error:
        if error.code == STILL_WAITING:
            raise
        return half_of(NEW_ACCOUNT)


def show_runs(feed: FailureFeed, digest: str | None) -> None:
    """Show the repairs of a group, or of all: progress, results, stop and resume."""
    for run in feed.repair_runs():
        if digest in (None, run.plan.fingerprint, *run.plan.groups):
            with st.container(border=True):
                repair_run(feed, run)


def repair_run(feed: FailureFeed, run: RepairRun) -> None:
    """Follow one repair run to the end of what it started."""
    jobs, plan = components.background_jobs(), run.plan
    job = jobs.get(repairs.job_key(plan))
    running = job is not None and job.running
    total, done = len(plan.items), len(run.results)
    at = time_range_panel.format_in_zone(plan.at)
    st.markdown(f"**Repair of {total:,}** by {escape_text(plan.author)}, {at}")
    st.progress(done / total if total else 1.0, text=f"{done:,} of {total:,} done")
    if running and st.button("Stop", key=f"stop-{plan.id}", icon=":material/stop:"):
        components.run_action(
            "stopping the repair",
            Privilege.REPAIR,
            lambda _: repairs.stop_repair(plan),
            request=plan.id,
        )
    if not running and run.pending:
        st.warning(f"{len(run.pending):,} were not started. Resuming repeats nothing.")
        if st.button("Resume", key=f"resume-{plan.id}", icon=":material/play_arrow:"):
            repairs.resume_repair(jobs, permits.require_permit(Privilege.REPAIR), feed, run)
            st.rerun()
    if job is not None:
        components.job_failure(job, repairs.job_key(plan))
    followed = [
        (one.started or one.arn, one.status.value, one.message) for one in run.results.values()
    ]
    now = find_outcomes(feed.executions.listing(), [arn for arn, _, _ in followed])
    redrives = dict(feed.executions.listing().select("arn", "redrive_count").rows())
    standing = {arn: (outcome, redrives[arn]) for arn, outcome in now.items()}
    st.caption(f"Of {total:,}: {count_items(run, standing).format_sentence()}.")
    with st.expander("Each execution"):
        st.dataframe(
            clean_cells(model.repair_table(followed, now)),
            hide_index=True,
            alt="Result of each execution",
        )


def current_author() -> str:
    """Return who is at the page: the login where there is one, else this machine's user."""
    return session.current_actor().name


def _read_state_types(feed: FailureFeed) -> dict[str, str]:
    try:
        graph = read_definition(feed.executions.definition())
    except WorkflowError:
        return {}  # the adviser then judges without the type of the state
    return {node.name: node.type for node in graph.nodes}
