"""Traffic: drawn images at a rate, a drift that sets in, and failures that are told."""

import io
import json
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image, ImageStat

from localcloud import drawings, traffic
from localcloud.drawings import CameraChange
from localcloud.traffic import Sender, TrafficPlan
from tests.builders import png
from workflow.errors import WorkflowError
from workflow.settings import Settings


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def send_all(plan: TrafficPlan, send: Any) -> tuple[traffic.Tally, list[str], Clock]:
    clock = Clock()
    lines: list[str] = []
    tally = traffic.run_plan(plan, send, lines.append, clock=clock, sleep=clock.sleep)
    return tally, lines, clock


def brightness(data: bytes) -> float:
    return float(ImageStat.Stat(Image.open(io.BytesIO(data)).convert("L")).mean[0])


def test_every_image_is_sent_at_the_rate() -> None:
    sent: list[bytes] = []

    tally, lines, clock = send_all(TrafficPlan(count=20, per_second=4), sent.append)

    assert (tally.sent, tally.failed, len(sent)) == (20, 0, 20)
    assert clock.now == pytest.approx(19 / 4)
    assert lines[-1].startswith("20 of 20 sent, ")
    assert 4 <= len(lines) <= 7


def test_the_same_seed_sends_the_same_images() -> None:
    plan = TrafficPlan(count=6, per_second=1)

    assert list(traffic.make_pictures(plan)) == list(traffic.make_pictures(plan))
    assert list(traffic.make_pictures(plan)) != list(
        traffic.make_pictures(TrafficPlan(count=6, per_second=1, seed=1))
    )


def test_the_drift_sets_in_half_way_and_completes() -> None:
    plan = TrafficPlan(count=100, per_second=1)

    assert [plan.drift_share(index) for index in (0, 50, 75, 99)] == [0, 0, 1, 1]
    assert plan.drift_share(62) == pytest.approx(0.48)


def test_without_drift_nothing_changes() -> None:
    plan = TrafficPlan(count=100, per_second=1, drift_at=1)

    assert {plan.drift_share(index) for index in range(101)} == {0}


def test_dusk_is_darker_than_day() -> None:
    images = list(traffic.make_pictures(TrafficPlan(count=40, per_second=1)))
    day, dusk = images[:20], images[-10:]

    assert sum(map(brightness, dusk)) / 10 < 0.6 * sum(map(brightness, day)) / 20


def test_images_of_a_folder_are_sent_in_turn(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(color="white"))
    (tmp_path / "b.PNG").write_bytes(png(color="black"))
    (tmp_path / "notes.txt").write_text("no image")
    files = traffic.image_files(tmp_path)

    sent = list(traffic.make_pictures(TrafficPlan(count=8, per_second=1, images=files)))

    assert [path.name for path in files] == ["a.png", "b.PNG"]
    assert sent[:4] == [png(color="white"), png(color="black")] * 2
    assert brightness(sent[6]) < brightness(sent[0])


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError) as caught:
        traffic.image_files(tmp_path)

    assert caught.value.code == "NoImages"


def test_what_cannot_be_sent_is_counted_and_the_rest_goes_on() -> None:
    refused = ClientError({"Error": {"Code": "SlowDown", "Message": "no"}}, "PutObject")
    turns, lock = iter(range(10)), threading.Lock()

    def send(_: bytes) -> str:
        with lock:
            turn = next(turns)
        if turn % 2:
            raise refused
        return "arn"

    tally, lines, _ = send_all(TrafficPlan(count=10, per_second=5), send)

    assert (tally.sent, tally.failed) == (5, 5)
    assert "5 failed: " in lines[-1]
    assert "SlowDown" in lines[-1]


def test_a_defect_is_not_counted_but_raised() -> None:
    def send(_: bytes) -> str:
        raise KeyError("defect")

    with pytest.raises(KeyError):
        send_all(TrafficPlan(count=3, per_second=5), send)


@pytest.mark.parametrize("kind", drawings.KINDS)
def test_every_kind_is_drawn_differently_each_time(kind: str) -> None:
    one, other = (drawings.draw_subject(kind, random.Random(seed)) for seed in (1, 2))  # noqa: S311

    assert one.size == (drawings.SIZE, drawings.SIZE)
    assert one.tobytes() != other.tobytes()


def test_no_change_leaves_a_picture_as_it_is() -> None:
    picture = drawings.draw_subject("bicycle", random.Random(1))  # noqa: S311

    assert drawings.change_picture(picture, CameraChange()).tobytes() == picture.tobytes()
    assert drawings.change_picture(picture, CameraChange(blur=2)).tobytes() != picture.tobytes()


class Recorder:
    """Stands for both clients that a sender uses."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Any:
        def call(**parameters: Any) -> dict[str, str]:
            self.calls.append((operation, parameters))
            return {"executionArn": "arn:execution"}

        return call


def test_an_image_is_uploaded_and_its_execution_started_on_the_alias() -> None:
    recorder, settings = Recorder(), Settings(account="123456789012", region="us-east-1")
    sender = Sender(settings, lambda _: recorder)

    assert sender.send_picture(png()) == "arn:execution"

    (put, upload), (start, execution) = recorder.calls
    assert (put, start) == ("put_object", "start_execution")
    assert upload["ContentType"] == "image/png"
    assert upload["Key"].startswith(settings.upload_prefix)
    assert execution["stateMachineArn"] == settings.alias_arn
    assert execution["name"].startswith(traffic.PREFIX)
    assert json.loads(execution["input"])["s3_key"] == upload["Key"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--dir", "nowhere"], "CloudUnreachable"),
        (["--endpoint-url", "http://127.0.0.1:9"], "CloudUnreachable"),
    ],
)
def test_no_cloud_is_one_sentence(
    arguments: list[str],
    code: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert traffic.main(arguments) == 2
    assert json.loads(capsys.readouterr().err)["code"] == code


@pytest.mark.cloud
def test_a_cloud_without_the_workflow_says_what_to_do(
    local_cloud: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCONES_PROJECT", "nothing-here")

    assert traffic.main(["--dir", str(local_cloud.directory)]) == 2
    said = json.loads(capsys.readouterr().err)
    assert said["code"] == "NotDeployed"
    assert "Deployment page" in said["remedy"]


@pytest.mark.cloud
def test_credentials_that_are_refused_name_the_command_that_gives_them(
    local_cloud: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_REGION", local_cloud.region)

    assert traffic.main(["--endpoint-url", local_cloud.endpoint_url]) == 2
    said = json.loads(capsys.readouterr().err)
    assert said["code"] == "InvalidClientTokenId"
    assert "python -m localcloud env" in said["message"]


@pytest.mark.parametrize("options", [["--count", "0"], ["--rate", "0"], ["--rate", "inf"]])
def test_a_rate_that_cannot_be_is_refused(options: list[str]) -> None:
    with pytest.raises(WorkflowError) as caught:
        traffic._build_plan(traffic._parse_options(options))

    assert caught.value.code == "RateInvalid"
