"""CSV files: the one writer of every download."""

from typing import Final

import polars as pl

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_BEGINNING: Final = r"[=+\-@\t\r\n\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]"
_FORMULA: Final = rf"^[\s\x00-\x1f]*{_BEGINNING}"
_LATER_FORMULA: Final = rf"(;[\s\x00-\x1f]*)({_BEGINNING})"
_NUMBER: Final = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"


def csv_file(frame: pl.DataFrame) -> bytes:
    """Return a table as CSV in UTF-8, with a byte-order mark for spreadsheets.

    Lists become text such as ``[0.98, 0.02]``. A text that a spreadsheet would run as a formula is
    given an apostrophe, also behind a semicolon, which parts cells in many countries (OWASP, CSV
    injection); numbers stay numbers.
    """
    columns = (_escape_formulas(_convert_to_text(frame[name])) for name in frame.columns)
    return _BYTE_ORDER_MARK + pl.DataFrame(list(columns)).write_csv().encode()


def _convert_to_text(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.List):
        listed = column.cast(pl.List(pl.String)).list.join(", ")
        return ("[" + listed + "]").alias(column.name)
    enumerated = isinstance(column.dtype, pl.Categorical | pl.Enum)
    return column.cast(pl.String) if enumerated else column


def _escape_formulas(column: pl.Series) -> pl.Series:
    (name,) = _quote_formulas(pl.Series([column.name]))
    kept = _quote_formulas(column) if column.dtype == pl.String else column
    return kept.alias(name)


def _quote_formulas(texts: pl.Series) -> pl.Series:
    value = pl.col("value")
    # A negative number begins like a formula and is none.
    runs = value.str.contains(_FORMULA) & ~value.str.contains(_NUMBER)
    within = value.str.replace_all(_LATER_FORMULA, "${1}'${2}")
    quoted = pl.when(runs).then("'" + within).otherwise(within)
    return texts.to_frame("value").select(quoted.alias("value"))["value"]
