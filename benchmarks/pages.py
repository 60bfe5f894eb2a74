"""Every page full of data: how soon a rerun has settled, and how many bytes it sends.

Run: ``python -m benchmarks.pages [--records N] [--executions N] [--rounds N] [--only PAGE]``. It
starts a dashboard with a local cloud of its own, as ``benchmarks.sessions`` does, in which a
million captures, 100,000 executions and 100 labels are stored. Each page is opened until nothing is
read any more, and is then run again several times, as a whole and by the parts that refresh by
themselves. A browser keeps messages of 10 kB and more, so what is sent again is counted as it is
sent to one. Limits: a second, and 100 kB. Ends with 1 where a page misses one of them.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.sessions import VIEWS, Session, running

LIMIT_S: Final = 1.0
LIMIT_KB: Final = 100.0
SETTLING_S: Final = 6.0
"""How long a page is looked at before it is measured: longer than any part waits to refresh."""

PAGES: Final = (
    *VIEWS,
    ("overview", "range=90d"),
    ("executions", "range=All"),
    ("executions", "outcome=fault"),
    ("failures", "show=all"),
    ("inferences", "view=Over+time&range=All"),
    ("inferences", "view=Confidence&label=bicycle"),
    ("review", ""),
    ("review", "view=Draws"),
    ("quality", ""),
    *(("quality", f"view={view}") for view in ("Confusion", "Calibration", "Threshold", "Parts")),
    ("rollout", ""),
    ("batch", ""),
    ("alerts", ""),
    ("audit", ""),
    ("workflows", ""),
    ("lab", ""),
)


def measure(app: str, page: str, query: str, rounds: int) -> bool:
    """Print one line; return whether the page meets both limits."""
    session = Session(app)
    try:
        first, sent = session.open(page, query)
        session.look(SETTLING_S)
        again = [session.open(page, query) for _ in range(rounds)]
        parts = [one for _ in range(rounds) for one in session.refresh()]
    finally:
        session.close()
    seconds = median(took for took, _ in again)
    slowest = max((took for took, _ in parts), default=0.0)
    whole, part = (max((size for _, size in runs), default=0) / 1e3 for runs in (again, parts))
    met = seconds <= LIMIT_S and max(whole, part) <= LIMIT_KB and not session.seen.lost
    print(
        f"{f'{page} {query}':46}{first:8.2f} s{sent / 1e3:8.0f} kB{seconds:8.2f} s{whole:8.0f} kB"
        f"{slowest:8.2f} s{part:8.0f} kB  {'met' if met else 'MISSED'}",
        flush=True,
    )
    return met


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every page, or those of a name."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--executions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    asked = parser.parse_args(arguments)
    titles = ("first load", "page again", "its parts")
    with (
        tempfile.TemporaryDirectory() as name,
        running(Path(name), asked.records, asked.executions) as (app, _),
    ):
        print(f"{'':46}{titles[0]:>21}{titles[1]:>21}{titles[2]:>21}")
        pages = [one for one in PAGES if asked.only in one[0]]
        met = [measure(app, page, query, asked.rounds) for page, query in pages]
    print(f"{sum(met)} of {len(met)} within {LIMIT_S:g} s and {LIMIT_KB:g} kB")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
