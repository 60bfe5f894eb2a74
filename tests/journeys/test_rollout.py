"""From doubtful photos to a promoted model in a browser, with the commands that pages name."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from dashboard.aws.cloud import Connection, connect
from tests.journeys.browser import ROOT, App, picture, running_app, settle
from workflow.splits import held_out

pytestmark = [pytest.mark.journey, pytest.mark.cloud]
Visit = Callable[..., Page]
PARTS = ("deploy", "dashboard", "workflow", "lambdas", "localcloud")
NEEDED = ("torch", "onnx", "efficientnet_lite_pytorch")
FIT = '''"""Stands in for minutes of training: the same network under another seed."""
import json, shutil
from deploy.model.artifacts import ARTIFACTS
from deploy.model.data import read_split

def train_on_folder(folder, out, seed, earlier=None):
    assert read_split(folder, "train").labels.tolist().count(0) == 2
    shutil.copytree(ARTIFACTS, out)
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["training"]["seed"] = seed
    (out / "manifest.json").write_text(json.dumps(manifest))
    return read_split(folder, "test")
'''


def photo_ids() -> dict[str, int]:
    """Label by id of eight photos, two of each class on each side of the split."""
    names = [f"photo-{number}" for number in range(60)]
    out = held_out(names, range(len(names)))
    chosen = [
        [name for name, is_out in zip(names, out, strict=True) if is_out is side][:4]
        for side in (True, False)
    ]
    return {name: place % 2 for side in chosen for place, name in enumerate(side)}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of its own: a new model takes the place of the one in it."""
    made = tmp_path_factory.mktemp("checkout")
    for part in PARTS:
        shutil.copytree(ROOT / part, made / part)
    for name in NEEDED:  # training is not installed everywhere
        (made / f"{name}.py").write_text("")
    (made / "deploy" / "model" / "training_set.py").write_text(FIT)
    return made


@pytest.fixture(scope="module")
def app(
    tmp_path_factory: pytest.TempPathFactory, checkout: Path, browser: Browser
) -> Iterator[App]:
    directory = tmp_path_factory.mktemp("rollout")
    path = os.pathsep.join(filter(None, (str(checkout), os.environ.get("PYTHONPATH"))))
    started = running_app(directory, deployed=True, aws_like=False, root=checkout, PYTHONPATH=path)
    for app in started:
        capture(connect(app.environ), list(photo_ids()))
        yield app


def capture(connection: Connection, ids: Sequence[str]) -> None:
    """Capture photos of the deployed endpoint, every second one below the threshold."""
    settings, random = connection.settings, np.random.default_rng(0)
    moment = datetime.now(UTC) - timedelta(minutes=5)
    lines = []
    for number, name in enumerate(ids):
        buffer = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (48, 64, 3), np.uint8)).save(buffer, "PNG")
        sure = 0.6 if number % 4 < 2 else 0.97
        given = {"encoding": "BASE64", "data": base64.b64encode(buffer.getvalue()).decode()}
        answer = {"encoding": "JSON", "data": json.dumps([sure, round(1 - sure, 2)])}
        data = {
            "endpointInput": {"mode": "INPUT", "observedContentType": "image/png", **given},
            "endpointOutput": {
                "mode": "OUTPUT",
                "observedContentType": "application/json",
                **answer,
            },
        }
        event = {"eventId": name, "inferenceTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
        lines.append(json.dumps({"captureData": data, "eventMetadata": event, "eventVersion": "0"}))
    place = f"{settings.capture_prefix}/{settings.endpoint}/AllTraffic"
    connection.client("s3").put_object(
        Bucket=settings.bucket,
        Key=f"{place}/{moment:%Y/%m/%d/%H}/00-00-000-loop.jsonl",
        Body="\n".join(lines).encode(),
    )


def command(app: App, checkout: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        env=app.aws_environ,
        cwd=checkout,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def drawn(connection: Connection) -> list[str]:
    """Ids of the photos of the only draw, in its order."""
    s3, bucket = connection.client("s3"), connection.settings.bucket
    (only,) = s3.list_objects_v2(Bucket=bucket, Prefix="reviews/draws/")["Contents"]
    body = s3.get_object(Bucket=bucket, Key=only["Key"])["Body"].read()
    return [photo["id"] for photo in json.loads(body)["photos"]]


def label(page: Page, connection: Connection) -> None:
    """Draw all photos and press the key of each one's class."""
    truth = photo_ids()
    page.get_by_role("button", name="Draw photos").first.click()
    page.get_by_label("Photos", exact=True).fill(str(len(truth)))
    page.get_by_label("Photos", exact=True).press("Tab")
    page.get_by_role("button", name="Draw photos").last.click()
    place = page.get_by_text(re.compile(rf"^Photo \d of {len(truth)}$"))
    expect(place).to_be_visible()
    order = drawn(connection)
    for done in range(len(truth)):
        expect(page.get_by_text(f"{done} of {len(truth)} photos reviewed")).to_be_visible()
        number = int(place.inner_text().split()[1])
        page.keyboard.press("2" if truth[order[number - 1]] else "1")
    expect(page.get_by_text("No photo of this draw is left for you")).to_be_visible()


def test_doubtful_photos_become_a_promoted_model(app: App, checkout: Path, visit: Visit) -> None:
    page, connection = visit(app, "review", settled=False), connect(app.environ)
    expect(page.get_by_text("Nothing has been drawn yet")).to_be_visible()
    label(page, connection)
    picture(page, "rollout-review")

    page = visit(app, "quality?view=Training+set")
    page.get_by_role("button", name="Write a training set").click()
    train = page.get_by_text(re.compile("deploy train s3://.* --out deploy/model/artifacts"))
    expect(train).to_be_visible()
    picture(page, "rollout-training")
    words = train.inner_text().splitlines()[0].split()
    told = command(app, checkout, *words[2:])
    assert "On 4 photos the old model is right" in told
    command(app, checkout, "deploy", "apply", "--keep-endpoint", "--yes")

    page = visit(app, "rollout")
    expect(page.get_by_text("On 4 photos held out")).to_be_visible()
    picture(page, "rollout-begin")
    page.get_by_role("button", name="Start the rollout").click()
    expect(page.get_by_role("button", name="Roll back", exact=True)).to_be_enabled()
    assert shares(connection) == pytest.approx([0.9, 0.1])
    picture(page, "rollout-compare")
    page.get_by_role("button", name="Roll back", exact=True).click()
    expect(page.get_by_role("button", name="Roll back", exact=True)).to_be_disabled()
    assert shares(connection) == pytest.approx([1.0, 0.0])
    page.get_by_label("Or change its share, in percent").fill("10")
    page.get_by_label("Or change its share, in percent").press("Tab")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.get_by_role("button", name="Roll back", exact=True)).to_be_enabled()
    assert shares(connection) == pytest.approx([0.9, 0.1])
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_role("button", name="Promote")).to_be_disabled()
    settle(page)
    picture(page, "rollout-promoted")
    assert shares(connection) == pytest.approx([0.0, 1.0])


def shares(connection: Connection) -> list[float]:
    """Weights of the variants, the one in use first."""
    found = connection.client("sagemaker").describe_endpoint(
        EndpointName=connection.settings.endpoint
    )
    return [one["DesiredWeight"] for one in found["ProductionVariants"]]
