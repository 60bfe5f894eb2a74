"""Tables that hold text of others: their cells are shown as they are, without what is not seen."""

from typing import TypeVar

import pandas as pd
import polars as pl
import polars.selectors as cs

from dashboard.shared.escaping import UNSEEN_IN_BLOCK, clean_block

Frame = TypeVar("Frame", pl.DataFrame, pd.DataFrame)


def clean_cells(frame: Frame) -> Frame:
    """Return a table with a replacement character for what turns or hides text in its cells."""
    if isinstance(frame, pd.DataFrame):
        return frame.map(lambda value: clean_block(value) if isinstance(value, str) else value)
    return frame.with_columns(
        cs.string().str.replace_all(UNSEEN_IN_BLOCK, "\N{REPLACEMENT CHARACTER}")
    )
