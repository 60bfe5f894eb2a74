"""Tables that hold text of others: their cells are shown as they are, without what is not seen.

Streamlit saves a table as CSV in the browser as it is: a cell that a spreadsheet would run as a
formula begins with a word joiner, which is not seen and makes it text.
"""

import re
from typing import Final, TypeVar

import pandas as pd
import polars as pl
import polars.selectors as cs

from dashboard.shared.escaping import UNSEEN_IN_BLOCK, clean_block

Frame = TypeVar("Frame", pl.DataFrame, pd.DataFrame)

_FORMULA: Final = "^\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]"
_AMOUNT: Final = r"^[+-]?[\d.,]+(?:\s?[%\w]+)*$"
"""A number, with a unit or without one: it begins like a formula and is none."""
_JOINER: Final = "\u2060"


def clean_cells(frame: Frame) -> Frame:
    """Return a table whose cells of text neither hide nor turn text, nor are formulas."""
    if isinstance(frame, pd.DataFrame):
        return frame.map(lambda value: _clean_cell(value) if isinstance(value, str) else value)
    text = cs.string()
    frame = frame.with_columns(text.str.replace_all(UNSEEN_IN_BLOCK, "\N{REPLACEMENT CHARACTER}"))
    runs = text.str.contains(_FORMULA) & ~text.str.contains(_AMOUNT)
    return frame.with_columns(pl.when(runs).then(text.str.replace("^", _JOINER)).otherwise(text))


def _clean_cell(text: str) -> str:
    seen = clean_block(text)
    runs = re.match(_FORMULA, seen) and not re.match(_AMOUNT, seen)
    return f"{_JOINER}{seen}" if runs else seen
