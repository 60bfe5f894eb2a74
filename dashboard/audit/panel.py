"""Panels of the Audit page: the filters, the records, one of them, and the files."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import streamlit as st

from dashboard.audit import model
from dashboard.audit.model import AuditFilters
from dashboard.aws.audit_log import Audit
from dashboard.shared import components, permits, time_range_panel
from dashboard.shared.escaping import clean_block, escape_text
from dashboard.shared.numbers import format_count
from dashboard.shared.tables import clean_cells
from dashboard.shared.time_range import DAY_AND_SECOND
from workflow.access import Privilege
from workflow.audit import AuditRecord

FRESH_S = 5.0


def read_audit() -> tuple[Audit, datetime]:
    """Return the audit of the watched workflow, and when it was read.

    Raises:
        WorkflowError: AWS's own code; ``StillWaiting`` while it has not answered.
    """
    log = permits.audit_log()

    def read() -> tuple[Audit, datetime]:
        now = datetime.now(UTC)
        return log.read(), now

    return components.read_cloud("s3", "audit", "the audit", read, fresh_s=FRESH_S)


def choose_filters(current: AuditFilters) -> AuditFilters:
    """Return the controls of the filters, as they are set now."""
    what = st.pills(
        "What",
        list(Privilege),
        default=list(current.what),
        selection_mode="multi",
        format_func=lambda privilege: privilege.value.capitalize(),
    )
    columns = st.columns(4)
    who = columns[0].text_input("Who contains", current.who)
    text = columns[1].text_input("Request or result contains", current.text)
    start = columns[2].date_input("From", current.start)
    end = columns[3].date_input("To", current.end)
    return replace(
        current,
        who=(who or "").strip(),
        text=(text or "").strip(),
        what=tuple(what),
        start=start,
        end=end,
    )


def show_records(found: Audit, shown: Sequence[AuditRecord]) -> None:
    """Draw the records that pass the filters, the chosen one in full, and their files."""
    if not found.records:
        components.empty_state(
            "Nothing has been done yet", "Every change that somebody makes is listed here."
        )
    elif not shown:
        components.empty_state("Nothing matches", "Widen the filters above.")
    else:
        st.caption(f"{format_count(len(shown), 'action')} of {len(found.records):,}, newest first.")
        chosen = st.dataframe(
            clean_cells(model.records_table(shown)),
            hide_index=True,
            on_select="rerun",
            selection_mode="single-row",
            key="audit-records",
            alt="Actions, one a row",
            column_config={"When": time_range_panel.time_column("When")},
        )
        _offer_files(shown)
        rows = chosen["selection"]["rows"]
        if rows and rows[0] < len(shown):
            _show_record(shown[rows[0]])
    _show_kept(found)


def _offer_files(shown: Sequence[AuditRecord]) -> None:
    files = (
        ("CSV", model.records_csv, "text/csv"),
        ("JSON lines", model.json_lines, "application/jsonl"),
    )
    with st.container(horizontal=True):
        for name, made, mime in files:
            st.download_button(
                f"Download as {name}",
                made(shown),
                f"audit.{mime.partition('/')[2]}",
                mime,
                icon=":material/download:",
                on_click="ignore",
            )


def _show_record(record: AuditRecord) -> None:
    st.subheader(
        f"{record.action.value.capitalize()}, "
        f"{time_range_panel.format_in_zone(record.at, DAY_AND_SECOND)}"
    )
    took = f", {(record.ended_at - record.at).total_seconds():.1f} s" if record.ended_at else ""
    st.caption(escape_text(f"{record.actor} as {record.role}, by {record.origin}{took}"))
    st.text(clean_block(model.format_result(record)))
    st.code(clean_block(model.format_request(record)), language=None, wrap_lines=True)


def _show_kept(found: Audit) -> None:
    """Say what is on this machine only, and what could not be read."""
    if found.kept:
        st.caption(
            f"{format_count(found.kept, 'row')} on this machine only: S3 has not accepted"
            f" {'it' if found.kept == 1 else 'them'} yet."
        )
    for problem in found.problems:
        st.warning(escape_text(problem), icon=":material/warning:")
