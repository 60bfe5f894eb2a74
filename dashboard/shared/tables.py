"""Tables that hold text of others: their cells are shown as they are, without what is not seen."""

from typing import TypeVar

import pandas as pd
import polars as pl
import polars.selectors as cs

from dashboard.shared.escaping import clean_block

Frame = TypeVar("Frame", pl.DataFrame, pd.DataFrame)

_UNSEEN = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
"""What ``clean_block`` replaces, for polars; it has no lone surrogates."""


def clean_cells(frame: Frame) -> Frame:
    """Return a table with a replacement character for what turns or hides text in its cells."""
    if isinstance(frame, pd.DataFrame):
        return frame.map(lambda value: clean_block(value) if isinstance(value, str) else value)
    return frame.with_columns(cs.string().str.replace_all(_UNSEEN, "\N{REPLACEMENT CHARACTER}"))
