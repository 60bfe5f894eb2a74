"""Recorder: runs real executions of each scene and takes what they left away from the cloud."""

import hashlib
import json
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Final

from localcloud.cloud import LocalCloud
from localcloud.demonstration.recording import LogRow, Recording
from localcloud.demonstration.story import Scene, StoryRelease
from localcloud.drawings import CameraChange, as_jpeg, change_picture, draw_subject
from localcloud.endpoint_runtime import EndpointRuntime
from localcloud.states.api import StepFunctions
from localcloud.wire import Call
from workflow.contract import ImageLocation, execution_input, inference_id
from workflow.settings import Settings
from workflow.submissions import upload_key

CAMERAS: Final[Mapping[Scene, CameraChange]] = {
    Scene.CLEAR: CameraChange(),
    Scene.DIM: CameraChange(brightness=0.5, blur=2.8),
    Scene.DARK: CameraChange(brightness=0.36, blur=3.4),
}
COUNTS: Final[Mapping[Scene, tuple[int, int, int]]] = {
    Scene.CLEAR: (34, 24, 4),
    Scene.DIM: (9, 12, 3),
    Scene.DARK: (7, 14, 4),
    Scene.UNCHECKED: (2, 2, 3),
    Scene.TORN: (1, 0, 0),
    Scene.MISSING: (1, 0, 0),
    Scene.BROKEN: (2, 1, 0),
}
"""Bicycles, motorcycles and other things that are really classified for each scene."""

AT_ONCE: Final = 6
_SIDE: Final = 112
_EXECUTION_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class ScenePhoto:
    """An image of a scene.

    Attributes:
        scene: What it is for.
        kind: ``bicycle``, ``motorcycle`` or ``other``.
        key: Where it lies in the bucket.
        body: Its bytes; None for one that is not there.
    """

    scene: Scene
    kind: str
    key: str
    body: bytes | None


def plan_photos(seed: int) -> list[tuple[Scene, str, str]]:
    """Return scene, kind and seed of each photo that is taken."""
    kinds = ("bicycle", "motorcycle", "other")
    return [
        (scene, kind, f"{seed}-{scene}-{kind}-{index}")
        for scene, counts in COUNTS.items()
        for kind, count in zip(kinds, counts, strict=True)
        for index in range(count)
    ]


def draw_photo(prefix: str, scene: Scene, kind: str, seed: str) -> ScenePhoto:
    """Draw a photo, the same for the same seed.

    Args:
        prefix: Of the keys of images, with its final slash.
        scene: What it is for.
        kind: ``bicycle``, ``motorcycle`` or ``other``.
        seed: Makes it differ from others.
    """
    picture = draw_subject(kind, Random(seed)).resize((_SIDE, _SIDE))  # noqa: S311 - drawings keep no secret
    body = as_jpeg(change_picture(picture, CAMERAS.get(scene, CameraChange())))
    if scene is Scene.TORN:
        body = b"<html>502 Bad Gateway</html>"
    key = upload_key(prefix, f"van-{kind}.jpg", hashlib.sha256(body).hexdigest())
    return ScenePhoto(scene, kind, key, None if scene is Scene.MISSING else body)


class Recorder:
    """Runs executions and takes their records, histories, captures and logs.

    Args:
        cloud: The cloud, with the deployment of the settings.
        settings: Of the deployment.
        versions: The version of the state machine for each release.

    Attributes:
        latencies: Microseconds that the model took, of each invocation.
    """

    def __init__(
        self, cloud: LocalCloud, settings: Settings, versions: Mapping[StoryRelease, str]
    ) -> None:
        self._cloud = cloud
        self._settings = settings
        self._versions = versions
        states, runtime = cloud.services["stepfunctions"], cloud.services["sagemaker-runtime"]
        assert isinstance(states, StepFunctions)  # noqa: S101 - as ``start_services`` makes it
        assert isinstance(runtime, EndpointRuntime)  # noqa: S101 - as ``start_services`` makes it
        self._states, self._capture = states, runtime.capture
        self.latencies: list[float] = []

    def record_all(
        self,
        wanted: Sequence[tuple[Scene, str, str]],
        put: Callable[[ScenePhoto], None],
        report: Callable[[int], None],
    ) -> dict[Scene, list[tuple[ScenePhoto, Recording]]]:
        """Run one execution for each photo.

        Args:
            wanted: What ``sights`` says.
            put: Puts a photo into the bucket.
            report: Told how many executions have ended.

        Returns:
            The recordings of each scene, with their photos.
        """

        def take_photo(sight: tuple[Scene, str, str]) -> tuple[ScenePhoto, str]:
            taken = draw_photo(self._settings.upload_prefix, *sight)
            put(taken)
            return taken, self._run_execution(taken)

        begun = time.time()
        with self._capture.withhold() as take, ThreadPoolExecutor(AT_ONCE) as pool:
            ran = []
            for count, one in enumerate(pool.map(take_photo, wanted), 1):
                ran.append(one)
                report(count)
            captures = {_inference_of(line): line for line in take()}
        window = (int(begun * 1000), int(time.time() * 1000) + 1000)
        logs = _by_invocation(self._cloud.logs.take_lines(*window))
        found = defaultdict(list)
        for taken, arn in ran:
            capture = captures.get(inference_id(arn))
            found[taken.scene].append((taken, self._build_recording(arn, capture, logs)))
        self.latencies = self._cloud.metrics.all_values("ModelLatency", begun, time.time() + 1)
        self._states.executions.delete([arn for _, arn in ran])
        self._cloud.metrics.forget_window(begun, time.time() + 1)
        queue = {"QueueUrl": self._settings.executions_queue}
        # The dashboard would else read events of executions that are gone.
        self._cloud.call_operation(Call("sqs", "PurgeQueue", self._settings.region, queue))
        return dict(found)

    def _run_execution(self, taken: ScenePhoto) -> str:
        release = {Scene.UNCHECKED: StoryRelease.UNCHECKED, Scene.BROKEN: StoryRelease.BROKEN}
        version = self._versions[release.get(taken.scene, StoryRelease.SOUND)]
        location = ImageLocation(self._settings.bucket, taken.key)
        params = {
            "stateMachineArn": version,
            "name": f"recording-{uuid.uuid4()}",
            "input": json.dumps(execution_input(location)),
        }
        call = Call("stepfunctions", "StartExecution", self._settings.region, params)
        arn = str(self._cloud.call_operation(call)["executionArn"])
        deadline = time.monotonic() + _EXECUTION_SECONDS
        while self._states.executions.get(arn)["status"] == "RUNNING":
            if time.monotonic() > deadline:
                self._cloud.call_operation(
                    Call("stepfunctions", "StopExecution", call.region, {"executionArn": arn})
                )
            time.sleep(_POLL_SECONDS)
        return arn

    def _build_recording(
        self, arn: str, capture: bytes | None, logs: Mapping[str, list[LogRow]]
    ) -> Recording:
        events = self._states.executions.read_events(arn, 0, 25_000, reverse=False)
        text = json.dumps(events)
        return Recording(
            execution={**self._states.executions.get(arn), "alias": self._settings.alias_arn},
            events=events,
            capture=capture,
            logs=[row for request, rows in logs.items() if request in text for row in rows],
        )


def _inference_of(line: bytes) -> str:
    return str(json.loads(line)["eventMetadata"].get("inferenceId"))


def _by_invocation(rows: Sequence[LogRow]) -> dict[str, list[LogRow]]:
    """Return the lines of each invocation, by its request id; lines without one are left out."""
    found: dict[str, list[LogRow]] = defaultdict(list)
    for row in rows:
        try:
            line = json.loads(row[3])
        except ValueError:
            continue
        if isinstance(line, dict):
            request = line.get("requestId") or line.get("record", {}).get("requestId")
            if request:
                found[str(request)].append(row)
    return found
