"""The Deployment page of a workflow that somebody else made: what there is and what is weak."""

from datetime import UTC, datetime

import streamlit as st

from dashboard.executions import panel as executions
from dashboard.executions.tables import build_failures
from dashboard.feeds import panel as feeds
from dashboard.shared import components, time_range_panel
from dashboard.shared.escaping import escape_prose, escape_text
from dashboard.shared.tables import clean_cells
from dashboard.workflows import client, express, model
from workflow.advice import (
    Advice,
    Weight,
    definition_advice,
    endpoint_advice,
    function_advice,
    outcome_advice,
)
from workflow.execution_rules import rules_of
from workflow.role_advice import role_advice

FRESH_SECONDS = 300.0
EXPRESS_SECONDS = 30.0
_PAYLOADS_LOOKED_AT = 50
_EXPRESS = (
    "This state machine is of type EXPRESS: Step Functions keeps no executions of it, so there is "
    "no list, no history and no failure to group. "
)


def show_parts() -> None:
    """Draw the whole page; it changes nothing."""
    components.page_header(
        "Deployment",
        "A workflow that this project does not deploy: its parts and their weak points.",
    )
    connection = components.connection()
    workflow = connection.watched
    if workflow.imported:
        components.empty_state(
            "Imported files only", "An export shows how it ran, not how it is deployed."
        )
        return
    found = components.read_cloud(
        "states",
        ("parts", workflow.reference),
        f"what {workflow.name} consists of",
        lambda: client.read_machine(connection, workflow),
        fresh_s=FRESH_SECONDS,
    )
    if found.express:
        wanted = (
            "Its executions are in its log group."
            if found.log_group
            else ("Turn on its logging (level ALL) to see them in CloudWatch Logs.")
        )
        st.warning(_EXPRESS + wanted, icon=":material/bolt:")
        if found.log_group:
            st.code(found.log_group, language=None, wrap_lines=True)
            _show_logged(found.log_group)
    _show_advice(found)
    if found.definition:
        changed = (
            time_range_panel.format_in_zone(found.changed_at) if found.changed_at else "not known"
        )
        role = escape_text(found.role.rpartition("/")[2])
        with st.container(border=True):
            executions.show_graph(
                found.definition, None, f"Last changed {changed}; its role is {role}."
            )
    st.header("Functions", anchor=False)
    if found.functions:
        st.dataframe(
            model.functions_table(found.functions), hide_index=True, alt="Functions of its tasks"
        )
    else:
        components.empty_state(
            "No function is known", "Its tasks call no function, or none may be read."
        )
    st.header("Endpoint", anchor=False)
    own = [one for one in found.endpoints if one.name == workflow.endpoint]
    if own:
        st.dataframe(model.endpoints_table(own), hide_index=True, alt="The endpoint")
        if workflow.endpoint_source:
            st.caption(f"Found because {escape_text(workflow.endpoint_source)}.")
    else:
        components.empty_state(
            "The endpoint is not known",
            "Name it on the Workflows page to see its captures.",
            page="app_pages/workflows.py",
            label="Go to Workflows",
        )
    for refused in found.refused:
        st.caption(escape_prose(f"Not shown: {refused.message} {refused.remedy}"))
    st.caption(
        f"As of {time_range_panel.format_clock(datetime.now(UTC))}, read at most every "
        "five minutes."
    )


@components.show_errors()
def _show_logged(log_group: str) -> None:
    """Show the executions that the log group of an EXPRESS state machine tells of."""
    connection, now = components.connection(), datetime.now(UTC)
    found = components.read_cloud(
        "logs",
        ("express", log_group),
        "what the state machine logged",
        lambda: express.read_express(connection, log_group, now),
        fresh_s=EXPRESS_SECONDS,
    )
    hours = express.EXPRESS_SPAN.total_seconds() / 3600
    if not found:
        st.caption(f"It logged no execution in the last {hours:g} hours.")
        return
    rules = rules_of(connection.watched)
    st.dataframe(
        clean_cells(model.express_table(found, rules)),
        hide_index=True,
        alt="Executions it logged",
        column_config={
            "Started": time_range_panel.time_column("Started"),
            "Took": st.column_config.NumberColumn("Took", format="%.2f s"),
            "Confidence": st.column_config.NumberColumn("Confidence", format="%.1f%%"),
        },
    )
    st.caption(
        f"{len(found):,} executions of the last {hours:g} hours; at most"
        f" {express.MOST_EVENTS:,} events are read."
    )


def not_ours(title: str) -> None:
    """Explain that a page is about what only ``deploy`` makes."""
    components.page_header(title, "For the workflow that this project deploys.")
    name = escape_text(components.connection().watched.name)
    components.empty_state(
        f"{name} was made by somebody else",
        "This page is about the deployed workflow. Choose that one in the sidebar to see it.",
    )


def _show_advice(found: client.MachineRecord) -> None:
    advice = model.by_weight(_all_advice(found))
    if not advice:
        st.success("No weakness was found in what may be read.", icon=":material/check_circle:")
    for one in advice:
        icon = ":material/priority_high:" if one.weight is Weight.HIGH else ":material/info:"
        said = (
            f"**{escape_text(one.subject)}.** {escape_text(one.problem)}  "
            f"\n{escape_prose(one.remedy)}"
        )
        (st.warning if one.weight is Weight.HIGH else st.info)(said, icon=icon)


def _all_advice(found: client.MachineRecord) -> list[Advice]:
    workflow = components.connection().watched
    store = feeds.running_feeds().executions.store
    details = store.scan("execution_details").tail(_PAYLOADS_LOOKED_AT).collect()
    payloads = [text for text in (*details["input"], *details["output"]) if text]
    own = [one for one in found.endpoints if one.name == workflow.endpoint]
    return [
        *definition_advice(found.definition),
        *function_advice(found.functions, today=datetime.now(UTC).date()),
        *role_advice(found.roles),
        *(advice for one in own for advice in endpoint_advice(one)),
        *outcome_advice(build_failures(store.scan("failures")), payloads),
    ]
