"""From labels to a promoted model: ``python -m benchmarks.loop IMAGES --with FOLDER``.

IMAGES holds ``test/`` and ``test.lst`` (row, label, file name); FOLDER, which may be left out,
more photos to train on, as ``deploy train --with`` takes them. In a local cloud of its own the
workflow is deployed, 200 photos are classified and labelled by the list, a training set is written,
and a model is trained on it, compared with the model in use on the photos held out, rolled out,
rolled back, rolled out again and promoted. Without the ``model`` extra training is skipped, and the
model in use stands in for the new one. Each step prints its seconds and its figure.
"""

import argparse
import hashlib
import importlib.util
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import polars as pl

from benchmarks.sessions import deployed
from dashboard.aws.captured_images import CaptureLine, captured_input
from dashboard.aws.cloud import Connection
from dashboard.aws.images import Upload
from dashboard.aws.submissions import Step, prepare, submit
from dashboard.captures.feed import CaptureFeed
from dashboard.quality.model import labels_of
from dashboard.review.client import ReviewClient
from dashboard.review.model import DrawRequest, draw_photos
from dashboard.rollout import client as rollout
from dashboard.rollout import model as rollouts
from dashboard.training.client import export_set
from deploy import deployment, train
from deploy.model import compare
from deploy.model.artifacts import ARTIFACTS
from deploy.model.data import read_split
from deploy.model.package import model_archive
from workflow.reviews import GroundTruth, Review
from workflow.submissions import Classified, Rejected, Submission

T = TypeVar("T")

PHOTOS: Final = 200
THRESHOLD: Final = 0.93
WAIT_S: Final = 300.0


def main() -> None:
    """Go through the loop once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, metavar="IMAGES")
    parser.add_argument("--with", dest="earlier", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    folder = options.images
    rows = [line.split("\t") for line in (folder / "test.lst").read_text().splitlines()]
    labels = {name: int(label) for _, label, name in rows[:PHOTOS]}
    photos = {name: (folder / "test" / name).read_bytes() for name in labels}
    truth = {hashlib.sha256(data).hexdigest(): labels[name] for name, data in photos.items()}
    with tempfile.TemporaryDirectory() as name:
        directory, new = Path(name), Path(name) / "new"
        cloud = step("deploy", lambda: _deploy(directory / "cloud"))
        with closing(CaptureFeed(cloud, directory / "captures")) as feed:
            step("classify", lambda: _classify(cloud, photos))
            reviews = ReviewClient(cloud)
            step("draw and label", lambda: _label(reviews, feed, truth))
            url = step("export training set", lambda: _export(cloud, feed, reviews))
            step("train and compare", lambda: _train(cloud, url, new, options.earlier))
            model = step("create model", lambda: _create_model(cloud, new))
            step("roll out at 10 %", lambda: _start(cloud, model))
            step("classify again", lambda: _classify(cloud, photos))
            step("compare on captures", lambda: _compare(cloud, feed, 2 * len(photos)))
        for title, share in (("roll back", 0.0), ("roll out again", 0.1), ("promote", 1.0)):
            step(title, partial(_give, cloud, share))
        plan = deployment.observe_and_plan(cloud.settings, cloud.session)
        print(f"next apply: {len(plan.changes)} changes. {plan.kept}")


def step(title: str, work: Callable[[], tuple[str, T]]) -> T:
    """Do a step, print its seconds and its figure, and return its result."""
    began = time.monotonic()
    figure, result = work()
    print(f"{title:20} {time.monotonic() - began:6.1f} s  {figure}", flush=True)
    return result


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.2)


def _deploy(directory: Path) -> tuple[str, Connection]:
    _, cloud = deployed(directory)
    return rollout.describe_endpoint(cloud).status, cloud


def _classify(cloud: Connection, photos: Mapping[str, bytes]) -> tuple[str, None]:
    last: dict[int, Submission] = {}

    def report(one: Step) -> None:
        if isinstance(one, tuple):
            last[one[0]] = one[1]

    uploads = [Upload(name, data) for name, data in photos.items()]
    submit(cloud, prepare(cloud, uuid.uuid4().hex[:12], uploads, ()), report)
    kinds = [type(one.verdict) for one in last.values()]
    accepted, rejected = kinds.count(Classified), kinds.count(Rejected)
    failed = len(photos) - accepted - rejected
    return f"{accepted} accepted, {rejected} rejected, {failed} failed", None


def _captures(feed: CaptureFeed, count: int) -> pl.LazyFrame:
    """Return the captures once so many are there."""

    def there() -> bool:
        feed.watch()
        return bool(feed.store.scan("captures").select(pl.len()).collect().item() >= count)

    _wait(there)
    return feed.store.scan("captures")


def _label(reviews: ReviewClient, feed: CaptureFeed, truth: Mapping[str, int]) -> tuple[str, None]:
    """Draw every photo, and write its label."""
    request = DrawRequest(len(truth), 0.5, THRESHOLD, None, "loop")
    token, now = uuid.uuid4().hex[:8], datetime.now(UTC)
    draw = draw_photos(_captures(feed, len(truth)), (), request, now=now, token=token, seed=0)
    reviews.add_draw(draw)
    for photo in draw.photos:
        place = photo.place
        line = CaptureLine(place.key, place.offset, place.length, place.gzipped)
        label = truth[hashlib.sha256(captured_input(feed.bucket, line)[0]).hexdigest()]
        review = Review(reviewer="loop", draw=draw.id)
        answer = GroundTruth(photo.id, str(label), datetime.now(UTC), review)
        reviews.write_answer(answer, label, uuid.uuid4().hex)
    one = labels_of([draw], reviews.read_verdicts()).estimate_share()
    said = f"{one.labels} labels: right in {one.value:.1%}, 95 % interval"
    return f"{said} {one.low:.1%} to {one.high:.1%}", None


def _export(cloud: Connection, feed: CaptureFeed, reviews: ReviewClient) -> tuple[str, str]:
    made = export_set(
        cloud, feed.bucket, reviews.list_draws(), reviews.read_verdicts(), lambda _: None
    )
    counts = {str(part): sum(found.values()) for part, found in made.counts.items()}
    return f"{counts}, {made.near} near-duplicates, {len(made.problems)} problems", made.url


def _train(cloud: Connection, url: str, new: Path, earlier: Path | None) -> tuple[str, None]:
    copy = partial(deployment.download, cloud.settings, cloud.session)
    if importlib.util.find_spec("torch"):
        return train.train_and_compare(url, new, 0, copy, earlier), None
    shutil.copytree(ARTIFACTS, new)
    copy(url, new.parent / "set")
    found = compare.record_comparison(ARTIFACTS, new, read_split(new.parent / "set", "test"))
    return f"training skipped: torch is not installed. {compare.describe_comparison(found)}", None


def _create_model(cloud: Connection, new: Path) -> tuple[str, str]:
    sagemaker, name = cloud.client("sagemaker"), f"{cloud.settings.prefix}-{uuid.uuid4().hex[:12]}"
    described = sagemaker.describe_model(
        ModelName=rollout.describe_endpoint(cloud).variants[0].model
    )
    bucket, key = cloud.settings.bucket, f"{cloud.settings.model_prefix}{name}/model.tar.gz"
    cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=model_archive(new).body)
    sagemaker.create_model(
        ModelName=name,
        PrimaryContainer=described["PrimaryContainer"] | {"ModelDataUrl": f"s3://{bucket}/{key}"},
        ExecutionRoleArn=described["ExecutionRoleArn"],
    )
    return name, name


def _start(cloud: Connection, model: str) -> tuple[str, None]:
    rollout.start_rollout(
        cloud, rollout.describe_endpoint(cloud), model, 0.1, uuid.uuid4().hex[:12]
    )
    return _served(cloud)


def _give(cloud: Connection, share: float) -> tuple[str, None]:
    rollout.give_share(cloud, rollout.describe_endpoint(cloud), share)
    return _served(cloud)


def _served(cloud: Connection) -> tuple[str, None]:
    """Return what share of the traffic each variant has, once the endpoint is in service."""
    _wait(lambda: rollout.describe_endpoint(cloud).status == rollout.IN_SERVICE)
    variants = rollout.describe_endpoint(cloud).variants
    return ", ".join(f"{one.name} {one.weight:.0%}" for one in variants), None


def _compare(cloud: Connection, feed: CaptureFeed, count: int) -> tuple[str, None]:
    found, captures = rollout.describe_endpoint(cloud), _captures(feed, count).collect()
    old, new = found.variants
    said = rollouts.compare_variants(
        captures, old.name, new.name, since=found.since, threshold=THRESHOLD
    )
    shares = [f"{row.variant} rejects {row.rejected:.1%} of {row.records}" for row in said.rows]
    return f"{', '.join(shares)}. {said.says}", None


if __name__ == "__main__":
    main()
