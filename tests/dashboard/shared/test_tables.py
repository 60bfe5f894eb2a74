"""A table that is saved as CSV in the browser runs no formula; amounts stay as they are."""

import pandas as pd
import polars as pl
import pytest

from dashboard.shared.tables import clean_cells

FORMULAS = ("=1+1", "+1+1|cmd", "-A1", "@SUM(A1)", " =x", "\uff1dx", "-1+1|cmd")
NO_FORMULAS = ("+5 %", "-0.5", "1,000", "a=b", "", "-3 pp")


@pytest.mark.parametrize("kind", [pl.DataFrame, pd.DataFrame])
def test_cells_run_no_formula_in_the_file_that_a_browser_saves(kind: type) -> None:
    texts = [*FORMULAS, *NO_FORMULAS]
    frame = clean_cells(kind({"a": texts, "b": texts, "n": range(len(texts))}))

    marked = [f"\N{WORD JOINER}{text}" for text in FORMULAS]
    assert list(frame["a"]) == list(frame["b"]) == [*marked, *NO_FORMULAS]
    assert list(frame["n"]) == list(range(len(texts)))


def test_a_table_without_text_stays_as_it_is() -> None:
    frame = pl.DataFrame({"n": [1]})
    assert clean_cells(frame).equals(frame)
    assert clean_cells(pl.DataFrame()).is_empty()
