"""False alarms and power of the drift test over 2,000 seeds, beside other tools' defaults.

Run: ``make bench-drift``, which installs evidently into an environment of its own, or
``python -m benchmarks.drift [--seeds N]``, which measures without evidently where that is missing.
"Alarm" is anything detected, be it small or not.
"""

import argparse
import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import repeat
from pathlib import Path

import numpy as np

from benchmarks.drift_samples import SCENARIOS, Sample, Scenario, draw
from workflow import drift
from workflow.distances import psi
from workflow.drift import DriftVerdict
from workflow.feature_statistics import NumericalStatistics, Statistics, StringStatistics
from workflow.pairing import BINS

PEERS = Path(".venv/evidently/bin/python")
EDGES = np.linspace(0, 1, 201)
WIDE_EDGES = np.linspace(-6, 7, 201)
PSI_LIMIT = 0.1
CHUNK = 50


def statistics(sample: Sample, edges: np.ndarray) -> Statistics:
    """Return a sample as the page counts it."""
    counts = {f"class {label}": int((sample.label == label).sum()) for label in (0, 1)}
    return Statistics(
        len(sample.label),
        (
            NumericalStatistics.of("confidence", sample.confidence, edges.tolist()),
            StringStatistics(name="label", missing=0, counts=counts),
        ),
    )


def ours(rate: float, scenario: Scenario, seed: int) -> bool:
    """Return whether anything is detected."""
    edges = WIDE_EDGES if scenario.shift else EDGES
    before, after = (statistics(sample, edges) for sample in draw(scenario, seed))
    verdict = drift.overall(drift.compare(before, after, false_alarm_rate=rate))
    return verdict in {DriftVerdict.DRIFT, DriftVerdict.SMALL}


def fixed_psi(scenario: Scenario, seed: int) -> bool:
    """Return whether PSI of the confidence, in the baseline's deciles, exceeds the usual limit."""
    before, after = (sample.confidence for sample in draw(scenario, seed))
    inner = np.quantile(before, np.linspace(0, 1, BINS + 1)[1:-1])
    counts = (
        np.bincount(np.searchsorted(inner, values), minlength=BINS) for values in (before, after)
    )
    return bool(psi(*counts) > PSI_LIMIT)


METHODS: dict[str, Callable[[Scenario, int], bool]] = {
    "joint permutation test, 5 %": partial(ours, 0.05),
    "joint permutation test, 1 %": partial(ours, 0.01),
    "PSI > 0.1 of confidence": fixed_psi,
}


def main() -> None:
    """Print the share of alarms of every method in every scenario."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000)
    seeds = parser.parse_args().seeds
    with ProcessPoolExecutor() as pool:
        found = {
            method: [
                sum(pool.map(alarms, repeat(scenario), range(seeds), chunksize=CHUNK))
                for scenario in SCENARIOS
            ]
            for method, alarms in METHODS.items()
        }
    if PEERS.exists():
        command = [str(PEERS), "-m", "benchmarks.drift_peers", str(seeds)]
        found |= json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    print(f"alarms in {seeds:,} comparisons")
    for index, scenario in enumerate(SCENARIOS):
        print(f"\n{scenario.name} ({'power' if scenario.drifts else 'false alarms'})")
        for method, counts in found.items():
            print(f"  {counts[index] / seeds:7.2%}  {method}")
    if not PEERS.exists():
        print("\nevidently is not installed: make bench-drift")


if __name__ == "__main__":
    main()
