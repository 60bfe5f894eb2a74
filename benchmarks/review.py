"""Coverage of intervals, time of a draw, labels a second: ``python -m benchmarks.review``.

Each seed makes a population of captures whose truth is known, draws photos from it as the page
does, labels them truly, and looks whether the 95 % interval holds the population's own accuracy.
Limits: 93 to 97 % of the intervals, 5 % false alarms of the sequential test, and 300 ms for a draw
from a million captures. The naive estimate is the share of labels that agree with the model, as a
queue of rejections shows it.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import numpy as np
import polars as pl

from dashboard.aws.write_once import create_once
from dashboard.captures.tables import CAPTURES
from dashboard.quality import model as quality
from dashboard.review.model import DrawRequest, draw_photos
from workflow.draws import Draw
from workflow.intervals import LEVEL, Share
from workflow.reviews import GroundTruth, Review, ground_truth_key, ground_truth_lines
from workflow.sequential import PairedComparison, differs
from workflow.verdicts import AgreementStatus, Verdict

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
THRESHOLD = 0.93
POPULATION = 20_000
DRAWS_A_SEED = 5
SIZES = (100, 200, 400)
LIMITS = (0.93, 0.97)
DRAW_LIMIT_MS = 300.0
LABELS = 300
RECORDS = 2_000

PARTS = {
    "accuracy": quality.EVERYTHING,
    "accuracy of the accepted": pl.col("confidence") >= THRESHOLD,
    "precision of class 0": pl.col("said") == 0,
}


def main() -> None:
    """Measure and print; fail where a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    seeds = parser.parse_args().seeds
    kept = [measure_coverage(size, seeds) for size in SIZES]
    kept += [measure_sequential(seeds), measure_paired(seeds), measure_draw()]
    measure_labels()
    if not all(kept):
        sys.exit("a limit is not kept")


def population(rng: np.random.Generator, size: int) -> pl.DataFrame:
    """Captures of a model that is right in 98.5 % of what it accepts, 65 % of what it rejects."""
    first = rng.beta(12, 0.5, size)
    confidence = np.maximum(first, 1 - first)
    right = rng.random(size) < np.where(confidence < THRESHOLD, 0.65, 0.985)
    said = pl.Series(rng.random(size) < 0.4).cast(pl.Int32).to_numpy()  # noqa: PLR2004 - a share
    numbers = np.arange(size)
    columns = {
        "event_id": pl.Series(numbers).cast(pl.String),
        "inference_id": pl.repeat(None, size, dtype=pl.String, eager=True),
        "inference_time": pl.repeat(NOW, size, dtype=pl.Datetime("us", "UTC"), eager=True),
        "endpoint": pl.repeat("endpoint", size, eager=True),
        "variant": pl.repeat("AllTraffic", size, eager=True),
        "label": said,
        "confidence": confidence,
        "key": pl.repeat("captures/00.jsonl", size, eager=True),
        "offset": numbers,
        "length": pl.repeat(99, size, dtype=pl.Int64, eager=True),
        "gzipped": pl.repeat(value=False, n=size, eager=True),
        "row": pl.repeat(0, size, dtype=pl.Int32, eager=True),
        "truth": np.where(right, said, 1 - said),
    }
    return pl.DataFrame(columns)


def drawn(captures: pl.LazyFrame, size: int, seed: int) -> Draw:
    """Draw as the page does: half below the threshold."""
    request = DrawRequest(size, 0.5, THRESHOLD, None, "benchmark")
    return draw_photos(captures, (), request, now=NOW, token="b", seed=seed)  # noqa: S106


def measure_coverage(size: int, seeds: int) -> bool:
    """Print how often the interval of each part holds the truth."""
    covered = dict.fromkeys(PARTS, 0)
    naive: list[float] = []
    weighted: list[float] = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        captures = population(rng, POPULATION).with_columns(said=pl.col("label"))
        truth = captures["truth"].to_list()
        true = {
            name: float(captures.filter(part).select(quality.RIGHT.mean()).item())
            for name, part in PARTS.items()
        }
        for repeat in range(DRAWS_A_SEED):
            draw = drawn(captures.lazy(), size, seed * DRAWS_A_SEED + repeat)
            verdicts = {
                photo.id: Verdict(AgreementStatus.AGREED, truth[int(photo.id)], ())
                for photo in draw.photos
            }
            labels = quality.labels_of([draw], verdicts)
            for name, part in PARTS.items():
                one = labels.estimate_share(part)
                covered[name] += one.low <= true[name] <= one.high
            agreed = float(labels.rows.select(quality.RIGHT.mean()).item())
            naive.append(abs(agreed - true["accuracy"]))
            weighted.append(abs(labels.estimate_share().value - true["accuracy"]))
    runs = seeds * DRAWS_A_SEED
    for name, count in covered.items():
        print(
            f"{size} labels: 95 % interval of the {name} holds it in {count / runs:.1%} of {runs}"
        )
    print(
        f"{size} labels: mean error {statistics.mean(weighted):.2%} weighted,"
        f" {statistics.mean(naive):.2%} naive"
    )
    return all(LIMITS[0] <= count / runs <= LIMITS[1] for count in covered.values())


def measure_draw() -> bool:
    """Print how long a draw from a million captures takes, in files as the store has them."""
    with tempfile.TemporaryDirectory() as directory:
        captures = population(np.random.default_rng(0), 1_000_000)
        for place, part in enumerate(captures.iter_slices(250_000)):
            part.write_parquet(Path(directory) / f"{place}.parquet")
        scan = pl.scan_parquet(Path(directory) / "*.parquet")
        known = set(CAPTURES) & set(captures.columns)
        times = []
        for seed in range(5):
            began = time.perf_counter()
            drawn(scan.select(sorted(known)), 100, seed)
            times.append(time.perf_counter() - began)
    best = 1000 * min(times)
    print(f"a draw of 100 from 1,000,000 captures: {best:.0f} ms (limit {DRAW_LIMIT_MS:.0f})")
    return best <= DRAW_LIMIT_MS


def measure_sequential(seeds: int) -> bool:
    """Print how often variants that are alike are told apart, looked at after every record."""
    alarms = 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        new, hit = rng.random(RECORDS) < 0.1, rng.random(RECORDS) < 0.15  # noqa: PLR2004 - shares
        news, hits = np.cumsum(new).tolist(), np.cumsum(new & hit).tolist()
        olds, old_hits = np.cumsum(~new).tolist(), np.cumsum(~new & hit).tolist()
        alarms += any(
            differs(Share(old_hit, old), Share(new_hit, count))
            for old_hit, old, new_hit, count in zip(old_hits, olds, hits, news, strict=True)
        )
    print(f"{RECORDS:,} looks: false alarms in {alarms / seeds:.1%} of {seeds} (limit 5 %)")
    return alarms / seeds <= 1 - LEVEL


def measure_paired(seeds: int) -> bool:
    """Print how often a shadow that is alike is told apart, looked at after every pair."""
    alarms = 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        differ, new = rng.random(RECORDS) < 0.08, rng.random(RECORDS) < 0.5  # noqa: PLR2004 - shares
        only_new, either = np.cumsum(differ & new).tolist(), np.cumsum(differ).tolist()
        alarms += any(
            PairedComparison(pairs, both - only, only).says != "cannot tell yet"
            for pairs, (only, both) in enumerate(zip(only_new, either, strict=True), 1)
        )
    print(f"{RECORDS:,} pairs: false alarms in {alarms / seeds:.1%} of {seeds} (limit 5 %)")
    return alarms / seeds <= 1 - LEVEL


def measure_labels() -> None:
    """Print how many labels one reviewer writes a second to a local cloud."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "localcloud", "--dir", directory, "--port", "0"]
        cloud = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert cloud.stdout is not None  # noqa: S101 - PIPE was asked for
            line = json.loads(cloud.stdout.readline())
            _write_labels(line["endpoint_url"], line["credentials_file"])
        finally:
            cloud.terminate()
            cloud.wait()


def _write_labels(endpoint: str, credentials: str) -> None:
    text = Path(credentials).read_text()
    keys = dict(part.split(" = ", 1) for part in text.splitlines() if " = " in part)
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=keys["aws_access_key_id"],
        aws_secret_access_key=keys["aws_secret_access_key"],
    )
    s3.create_bucket(Bucket="labels")
    began = time.perf_counter()
    for number in range(LABELS):
        at = NOW + timedelta(seconds=number)
        truth = GroundTruth(f"photo-{number}", "1", at, Review(reviewer="benchmark"))
        key = ground_truth_key("ground_truth", at, f"{number}")
        create_once(s3, "labels", key, ground_truth_lines([truth]))
    seconds = time.perf_counter() - began
    print(f"labels written, one after the other: {LABELS / seconds:.0f} a second")


if __name__ == "__main__":
    main()
