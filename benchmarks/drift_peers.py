"""What other tools say of the samples of ``benchmarks.drift``, as a JSON list on standard output.

Runs in an environment of its own, since evidently does not import beside pandas 3. evidently's
answer is that of the test that it chooses for a column by itself (``get_stattest`` without a name),
at its default threshold; a comparison alarms where one of its columns does.
"""

import json
import sys
import warnings

import evidently
import pandas as pd
from evidently.legacy.calculations.stattests import get_stattest
from evidently.legacy.core import ColumnType
from scipy.stats import ks_2samp

from benchmarks.drift_samples import SCENARIOS, Sample, draw


def evidently_alarms(before: Sample, after: Sample) -> bool:
    """Return whether evidently's defaults find drift in a column."""
    return any(
        get_stattest(first, second, kind, None)(first, second, kind, None).drifted
        for kind, first, second in (
            (ColumnType.Numerical, pd.Series(before.confidence), pd.Series(after.confidence)),
            (ColumnType.Categorical, pd.Series(before.label), pd.Series(after.label)),
        )
    )


def ks_alarms(before: Sample, after: Sample) -> bool:
    """Return whether one Kolmogorov-Smirnov test of the confidence alone alarms at 1 %."""
    return bool(ks_2samp(before.confidence, after.confidence).pvalue < 0.01)  # noqa: PLR2004


METHODS = {
    f"evidently {evidently.__version__}, defaults": evidently_alarms,
    "one KS test of confidence at 1 %": ks_alarms,
}


def main() -> None:
    """Count the alarms of every method in every scenario over so many seeds."""
    warnings.simplefilter("ignore")
    seeds = int(sys.argv[1])
    found = {
        method: [
            sum(alarms(*draw(scenario, seed)) for seed in range(seeds)) for scenario in SCENARIOS
        ]
        for method, alarms in METHODS.items()
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
