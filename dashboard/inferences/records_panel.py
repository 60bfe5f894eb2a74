"""The records of the selection as a table and as files."""

import io
from collections.abc import Callable
from functools import partial

import polars as pl
import streamlit as st

from dashboard.captures.record_filters import InferenceFilters
from dashboard.captures.source import InferenceFeed
from dashboard.inferences import model
from dashboard.inferences.counted_selection import CountedSelection
from dashboard.shared import time_range_panel
from dashboard.shared.csv_files import csv_file
from dashboard.shared.tables import clean_cells

TABLE_ROWS = 250
EXPORT_ROWS = 1_000_000


def show_records(selection: CountedSelection) -> None:
    """Show the records, and every way to export them."""
    total = int(selection.counts["count"].sum())
    rows = selection.feed.records(selection.filters, None, limit=TABLE_ROWS)
    shown = model.records_table(rows, selection.names)
    st.caption(
        f"The newest {rows.height:,} of {model.count_records(total)}; those without a "
        "usable time last"
    )
    st.dataframe(
        clean_cells(shown),
        hide_index=True,
        alt="The newest records",
        height=420,
        column_config={
            "Time": time_range_panel.time_column("Time"),
            "Confidence": st.column_config.NumberColumn("Confidence", format="%.1f%%"),
        },
    )
    with st.container(horizontal=True):
        for kind, write in (("CSV", as_csv), ("Parquet", as_parquet)):
            st.download_button(
                f"Download as {kind}",
                partial(_export_records, selection.feed, selection.filters, write),
                f"inferences.{kind.lower()}",
                on_click="ignore",
                icon=":material/download:",
                help=f"All {min(total, EXPORT_ROWS):,} records of the selection",
            )


def _export_records(
    feed: InferenceFeed, filters: InferenceFilters, write: Callable[[pl.DataFrame], bytes]
) -> bytes:
    return write(feed.records(filters, None, limit=EXPORT_ROWS))


def as_csv(rows: pl.DataFrame) -> bytes:
    """Encode records as CSV."""
    return csv_file(rows)


def as_parquet(rows: pl.DataFrame) -> bytes:
    """Encode records as Parquet."""
    out = io.BytesIO()
    rows.write_parquet(out, compression="zstd")
    return out.getvalue()
