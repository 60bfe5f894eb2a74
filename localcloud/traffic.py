"""Traffic: ``python -m localcloud.traffic`` sends images through the deployed workflow, at a rate.

Every image is uploaded to the bucket and classified by a real execution, as the *Classify* page
does it, so captures, executions and rejections appear as they would in production. After a while a
drift sets in: it gets dark, the lens blurs, and the share of motorcycles grows. Prints a line a
second; Control-C stops it. Exits 2 with one JSON line on stderr where it cannot start.
"""

import argparse
import hashlib
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from PIL import Image

from localcloud import credentials
from localcloud.drawings import KINDS, CameraChange, as_png, change_picture, draw_subject
from workflow.aws_errors import translate
from workflow.contract import ImageLocation, content_type, execution_input
from workflow.errors import WorkflowError
from workflow.regions import Region, resolve
from workflow.settings import Settings
from workflow.submissions import upload_key

PREFIX: Final = "traffic-"
"""First part of the name of every execution that is started here."""

STEADY_SHARES: Final = (0.55, 0.40, 0.05)
"""Share of bicycles, motorcycles and other things before the drift."""

DRIFTED_SHARES: Final = (0.25, 0.60, 0.15)
"""The same at the end of the drift."""

CAMERAS: Final = {"dark": CameraChange(brightness=0.5), "blurred": CameraChange(blur=3.0)}
"""Cameras that are out of order from the first photo."""

_SOUND: Final = CameraChange()

DUSK: Final = CameraChange(brightness=0.32, blur=4.5)
"""The camera at the end of the drift."""

AT_ONCE: Final = 8
"""Requests in flight: enough for any rate that a local cloud can follow."""

_IMAGE_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg"})
_REPORT_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPlan:
    """What to send.

    Attributes:
        count: Number of images.
        per_second: Images a second.
        drift_at: Share of the images after which the drift sets in; 1 for none. It is complete
            after half of the rest.
        images: Files to send instead of drawings, in turn; the drift changes them too.
        seed: Makes the same images in the same order.
        camera: How every photo is changed as long as there is no drift.
    """

    count: int
    per_second: float
    drift_at: float = 0.5
    images: tuple[Path, ...] = ()
    seed: int = 0
    camera: CameraChange = _SOUND

    def camera_change(self, index: int) -> CameraChange:
        """Return how the camera has changed at an image."""
        drift = self.drift_share(index)
        return _dusk_change(drift) if drift else self.camera

    def drift_share(self, index: int) -> float:
        """Return how far the drift has come at an image, 0 to 1."""
        start = self.drift_at * self.count
        rest = (self.count - start) / 2
        return 0.0 if index < start or rest == 0 else min(1.0, (index - start) / rest)


def make_pictures(plan: TrafficPlan) -> Iterator[bytes]:
    """Yield the images of a plan, in order."""
    for index in range(plan.count):
        drift = plan.drift_share(index)
        # One generator for each image, so that a picture does not depend on those before it.
        random = Random(f"{plan.seed}-{index}")  # noqa: S311 - drawings keep no secret
        if plan.images:
            yield _read_changed(plan.images[index % len(plan.images)], plan.camera_change(index))
        else:
            (kind,) = random.choices(KINDS, _interpolate(STEADY_SHARES, DRIFTED_SHARES, drift))
            yield as_png(change_picture(draw_subject(kind, random), plan.camera_change(index)))


def _read_changed(path: Path, change: CameraChange) -> bytes:
    if change == _SOUND:
        return path.read_bytes()
    with Image.open(path, formats=("PNG", "JPEG")) as picture:
        return as_png(change_picture(picture.convert("RGB"), change))


def _dusk_change(drift: float) -> CameraChange:
    brightness, blur = _interpolate((1.0, 0.0), (DUSK.brightness, DUSK.blur), drift)
    return CameraChange(brightness, blur)


def _interpolate(start: Sequence[float], end: Sequence[float], share: float) -> list[float]:
    return [a + (b - a) * share for a, b in zip(start, end, strict=True)]


def image_files(folder: Path) -> tuple[Path, ...]:
    """Return the PNG and JPEG files below a folder, in the order of their names.

    Raises:
        WorkflowError: ``NoImages``.
    """
    found = tuple(sorted(p for p in folder.rglob("*") if p.suffix.lower() in _IMAGE_SUFFIXES))
    if not found:
        raise WorkflowError(
            "NoImages",
            f"There is no PNG or JPEG file in {folder}.",
            "Give a folder that has some, or leave --images out to send drawings.",
        )
    return found


@dataclass(slots=True)
class Sender:
    """Uploads an image and starts its execution.

    Args:
        settings: Of the deployment.
        client: Makes a boto3 client by the name of its service.
    """

    settings: Settings
    client: Callable[[str], Any]
    _s3: Any = field(init=False)
    _states: Any = field(init=False)

    def __post_init__(self) -> None:
        self._s3 = self.client("s3")
        self._states = self.client("stepfunctions")

    def check_deployed(self) -> None:
        """Make sure that the workflow is there.

        Raises:
            WorkflowError: ``NotDeployed`` or ``CloudUnreachable``.
        """
        arn = self.settings.alias_arn
        try:
            self._states.describe_state_machine_alias(stateMachineAliasArn=arn)
        except ClientError as error:
            raise WorkflowError(
                "NotDeployed",
                f"There is no state machine alias {arn}.",
                "Deploy the workflow first: on the Deployment page, or `python -m deploy apply`.",
            ) from error
        except BotoCoreError as error:
            raise WorkflowError(
                "CloudUnreachable",
                f"The local cloud does not answer: {error}.",
                "Start it with `make run` or `python -m localcloud`.",
            ) from error

    def send_picture(self, picture: bytes) -> str:
        """Send one image.

        Returns:
            The ARN of its execution.
        """
        digest = hashlib.sha256(picture).hexdigest()
        kind = content_type(picture, "the picture")
        key = upload_key(self.settings.upload_prefix, f"traffic.{kind.rpartition('/')[2]}", digest)
        bucket = self.settings.bucket
        self._s3.put_object(Bucket=bucket, Key=key, Body=picture, ContentType=kind)
        started = self._states.start_execution(
            stateMachineArn=self.settings.alias_arn,
            name=f"{PREFIX}{uuid.uuid4()}",
            input=json.dumps(execution_input(ImageLocation(bucket, key))),
        )
        return str(started["executionArn"])


@dataclass(slots=True)
class Tally:
    """How far the traffic has come.

    Attributes:
        sent: Executions started.
        failed: Images that could not be sent.
        last_error: Why the last of them could not.
    """

    sent: int = 0
    failed: int = 0
    last_error: str = ""

    def count_outcome(self, outcome: Future[str]) -> None:
        """Count one image that was dealt with."""
        error = outcome.exception()
        if error is None:
            self.sent += 1
        elif isinstance(error, BotoCoreError | ClientError):
            self.failed += 1
            self.last_error = str(error)
        else:
            raise error


def run_plan(
    plan: TrafficPlan,
    send: Callable[[bytes], str],
    report: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Tally:
    """Send the images of a plan at its rate.

    Args:
        plan: What to send.
        send: Sends one image, from several threads.
        report: Told a line about once a second.
        clock: Seconds that never go back.
        sleep: Waits for so many seconds.

    Returns:
        What became of them. An image that cannot be sent is counted and the rest goes on.
    """
    tally, start = Tally(), clock()
    told, waiting = start, set[Future[str]]()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for index, picture in enumerate(make_pictures(plan)):
            sleep(max(0.0, start + index / plan.per_second - clock()))
            waiting.add(pool.submit(send, picture))
            waiting = _count_done(waiting, tally, len(waiting) >= AT_ONCE)
            if clock() - told >= _REPORT_SECONDS:
                told = clock()
                report(_progress_line(plan, tally, index, told - start))
        for outcome in waiting:
            tally.count_outcome(outcome)
    report(_progress_line(plan, tally, plan.count, clock() - start))
    return tally


def _count_done(waiting: set[Future[str]], tally: Tally, full: bool) -> set[Future[str]]:  # noqa: FBT001
    """Count what is done; where all hands are full, wait for one."""
    done, rest = wait(waiting, timeout=None if full else 0, return_when=FIRST_COMPLETED)
    for outcome in done:
        tally.count_outcome(outcome)
    return rest


def _progress_line(plan: TrafficPlan, tally: Tally, index: int, seconds: float) -> str:
    drift = plan.drift_share(index)
    line = f"{tally.sent:,} of {plan.count:,} sent, {tally.sent / max(seconds, 1e-9):.1f} a second"
    if drift:
        line += f", drift {drift:.0%}"
    if tally.failed:
        line += f", {tally.failed:,} failed: {tally.last_error}"
    return line


def main(argv: Sequence[str] | None = None) -> int:
    """Send traffic until the plan is done; return the exit status."""
    options = _parse_options(argv)
    try:
        settings, client = _connect_cloud(*_find_endpoint(options))
        sender = Sender(settings, client)
        sender.check_deployed()
        tally = run_plan(
            _build_plan(options), sender.send_picture, lambda line: print(line, flush=True)
        )
    except WorkflowError as error:
        fields = {"code": error.code, "message": error.message, "remedy": error.remedy}
        print(json.dumps(fields), file=sys.stderr, flush=True)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", flush=True)
        return 0
    return 1 if tally.failed else 0


def _parse_options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localcloud.traffic", description=__doc__)
    parser.add_argument("--dir", default=".localcloud", help="state directory of the local cloud")
    parser.add_argument("--endpoint-url", help="its address; the credentials are the environment's")
    parser.add_argument("--count", type=int, default=600, help="number of images")
    parser.add_argument("--rate", type=float, default=6.0, help="images a second")
    parser.add_argument("--images", type=Path, help="send the images of this folder, no drawings")
    parser.add_argument("--no-drift", action="store_true", help="stay as it begins")
    parser.add_argument("--camera", choices=CAMERAS, help="send photos of a camera out of order")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def _build_plan(options: argparse.Namespace) -> TrafficPlan:
    if options.count < 1 or not 0 < options.rate <= 1000:  # noqa: PLR2004 - a bound on nonsense
        raise WorkflowError(
            "RateInvalid",
            f"{options.count} images at {options.rate:g} a second cannot be sent.",
            "Give at least one image, and a rate above 0 and up to 1,000.",
        )
    return TrafficPlan(
        count=options.count,
        per_second=options.rate,
        drift_at=1.0 if options.no_drift else 0.5,
        images=image_files(options.images) if options.images else (),
        seed=options.seed,
        camera=CAMERAS.get(options.camera, _SOUND),
    )


def _find_endpoint(options: argparse.Namespace) -> tuple[str, boto3.Session, Region]:
    """Return where the cloud listens, a session for it, and its region."""
    if options.endpoint_url:
        region = resolve(os.environ)
        return str(options.endpoint_url), boto3.Session(region_name=region.name), region
    try:
        line = json.loads((Path(options.dir) / "endpoint.json").read_text())
        keys = credentials.read_file(Path(line["credentials_file"]))
        region = Region(str(line["region"]), "endpoint.json")
        session = boto3.Session(keys.access_key_id, keys.secret_access_key, region_name=region.name)
        return str(line["endpoint_url"]), session, region
    except (OSError, ValueError, KeyError):
        raise WorkflowError(
            "CloudUnreachable",
            f"No local cloud serves the directory {options.dir}.",
            "Start it with `make run` or `python -m localcloud`, or give its --dir.",
        ) from None


def _connect_cloud(
    endpoint_url: str, session: boto3.Session, region: Region
) -> tuple[Settings, Callable[[str], Any]]:
    def client(service: str) -> Any:  # noqa: ANN401 - boto3 makes client classes at run time
        config = Config(max_pool_connections=AT_ONCE)
        return session.client(service, endpoint_url=endpoint_url, config=config)  # type: ignore[call-overload]

    try:
        account = client("sts").get_caller_identity()["Account"]
    except (NoCredentialsError, ClientError) as error:
        said = (getattr(error, "response", None) or {}).get("Error", {})
        raise translate(
            operation="sts:GetCallerIdentity",
            code=said.get("Code", type(error).__name__),
            message=said.get("Message", str(error)),
        ) from error
    except BotoCoreError as error:
        raise WorkflowError(
            "CloudUnreachable",
            f"Nothing answers at {endpoint_url}.",
            "Start it with `make run` or `python -m localcloud`.",
        ) from error
    return Settings.from_env(os.environ, account=account, region=region), client


if __name__ == "__main__":
    sys.exit(main())
