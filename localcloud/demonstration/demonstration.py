"""Demonstration: fills the cloud with the story, tells how far it has come, and removes it."""

import datetime as dt
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from localcloud.cloud import LocalCloud
from localcloud.demonstration.labelling import draw_photos, label_photos
from localcloud.demonstration.recorder import Recorder, ScenePhoto, plan_photos
from localcloud.demonstration.recording import Recording, Time, copy_recording, list_metrics
from localcloud.demonstration.releases import definition_of
from localcloud.demonstration.story import DAY, Moment, Scene, Story, StoryRelease, tell_story
from localcloud.errors import AwsError
from localcloud.states.api import StepFunctions
from workflow.alias_descriptions import live_before
from workflow.captures import Capture, read_captures
from workflow.contract import inference_id
from workflow.draws import to_json
from workflow.errors import WorkflowError
from workflow.reviews import ground_truth_key, ground_truth_lines
from workflow.settings import Settings

COUNT: Final = 900
"""Executions of the two weeks."""

NAME: Final = "demonstration"
"""First part of the name of every execution that is written here."""

_TRUTHS: Final = "ground_truth"
_DRAWS: Final = "reviews/draws"
_VARIANT: Final = "AllTraffic"
_SEED: Final = 16


class CloudDemonstration:
    """The demonstration of one cloud.

    Args:
        cloud: Where it is written; its services are started.
    """

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._kept = cloud.store.load_table("demonstration")
        self._lock = threading.RLock()
        self._progress: dict[str, Any] | None = None

    def status(self) -> dict[str, Any]:
        """Return how far it has come.

        Returns:
            ``state``: ``absent``, ``running``, ``done`` or ``failed``; ``share`` 0 to 1 and
            ``says`` while it runs; ``problem`` where it failed; ``executions`` where it is done.
        """
        with self._lock:
            if self._progress is not None:
                return dict(self._progress)
        if "kept" in self._kept:
            return {"state": "done", "executions": len(self._kept["kept"]["executions"])}
        return {"state": "absent"}

    def start(self, settings: Settings, *, utc_offset: float) -> dict[str, Any]:
        """Begin to write it, in the background; one that is there or under way stays.

        Args:
            settings: Of the deployment.
            utc_offset: Seconds that local time is ahead of UTC.

        Raises:
            AwsError: The deployment is not there, or executions have run in it.
        """
        states = StepFunctions.of(self._cloud)
        machine = states.get_machine(settings.state_machine_arn)
        with self._lock:
            if self.status()["state"] in ("running", "done"):
                return self.status()
            if states.executions.of_machine(machine["arn"]):
                raise AwsError(
                    "ConflictException",
                    "Executions have run in this deployment: a demonstration would mix with them.",
                    409,
                )
            self._progress = {"state": "running", "share": 0.0, "says": "Taking photos"}
        work = threading.Thread(target=self._write_story, args=(settings, utc_offset), daemon=True)
        work.start()
        return self.status()

    def remove(self, settings: Settings) -> dict[str, Any]:
        """Remove what was written; what others have done since stays."""
        with self._lock:
            kept = self._kept.pop("kept", None)
            if self._progress is not None and self._progress["state"] == "failed":
                self._progress = None
        if kept is not None:
            StepFunctions.of(self._cloud).executions.delete(kept["executions"])
            self._cloud.s3.remove_objects(settings.bucket, kept["objects"])
            self._cloud.metrics.forget_window(*kept["window"])
            self._cloud.logs.take_lines(*(int(moment * 1000) for moment in kept["window"]))
        return self.status()

    def _write_story(self, settings: Settings, utc_offset: float) -> None:
        ended: dict[str, Any] | None = None
        try:
            writer = _Writer(self._cloud, settings, self._report_progress)
            self._kept["kept"] = writer.write_all(utc_offset)
        except (AwsError, WorkflowError) as error:
            ended = {"state": "failed", "problem": str(error)}
        except Exception:
            ended = {"state": "failed", "problem": "The local cloud met an error of its own."}
            raise
        finally:
            with self._lock:
                self._progress = ended

    def _report_progress(self, share: float, says: str) -> None:
        with self._lock:
            self._progress = {"state": "running", "share": share, "says": says}


@dataclass(frozen=True, slots=True)
class _Copy:
    """An execution of the history as it was written."""

    photo: ScenePhoto
    scene: Scene
    recording: Recording


class _Writer:
    """Writes one demonstration."""

    def __init__(
        self, cloud: LocalCloud, settings: Settings, report: Callable[[float, str], None]
    ) -> None:
        self._cloud = cloud
        self._settings = settings
        self._report = report
        self._random = Random(_SEED)  # noqa: S311 - a history keeps no secret
        self._objects: list[str] = []

    def write_all(self, utc_offset: float) -> dict[str, Any]:
        """Write it all; return what has to be removed again."""
        settings, now = self._settings, time.time()
        story = tell_story(now, count=COUNT, utc_offset=utc_offset, seed=_SEED)
        versions = self._publish_releases(story)
        wanted = plan_photos(_SEED)
        total = len(wanted)

        def put(taken: ScenePhoto) -> None:
            if taken.body is not None:
                self._put_object(taken.key, taken.body, "image/jpeg", story.releases[0][0])

        releases = {kind: arn for (_, kind), arn in zip(story.releases, versions, strict=True)}
        recorder = Recorder(self._cloud, settings, releases)
        recorded = recorder.record_all(
            wanted,
            put,
            lambda count: self._report(
                0.7 * count / total, f"{count} of {total} photos classified by the real workflow"
            ),
        )
        self._report(0.72, f"Writing {len(story.moments):,} executions of two weeks")
        copies = [
            self._copy_recording(index, moment, recorded, versions)
            for index, moment in enumerate(story.moments)
        ]
        self._write_executions(copies, recorder.latencies)
        captures = self._write_captures(copies)
        self._write_labels(copies, captures, now)
        return {
            "executions": [copy.recording.execution["arn"] for copy in copies],
            "objects": self._objects,
            "window": [story.releases[0][0] - DAY, now],
        }

    def _publish_releases(self, story: Story) -> list[str]:
        """Publish the releases; return the ARN of the version of each."""
        states, arn = StepFunctions.of(self._cloud), self._settings.state_machine_arn
        began = story.releases[0][0]
        states.backdate(arn, began)
        self._cloud.endpoints.backdate(self._settings.endpoint, began)
        sound = states.get_machine(arn)["definition"]
        versions = [f"{arn}:1"]
        for at, release in story.releases[1:]:
            definition = definition_of(release, sound)
            current = release is StoryRelease.SOUND
            versions.append(states.add_version(arn, definition, created=at, current=current))
        routing = [{"stateMachineVersionArn": versions[-1], "weight": 100}]
        before = live_before(story.live[-2][1] + 1)
        states.set_routing(self._settings.alias_arn, routing, before, at=story.live[-1][0])
        return versions

    def _copy_recording(
        self,
        index: int,
        moment: Moment,
        recorded: dict[Scene, list[tuple[ScenePhoto, Recording]]],
        versions: Sequence[str],
    ) -> _Copy:
        # Cold starts, of which a busy machine sees many at first, are as rare as they are slow.
        able = recorded[moment.scene]
        weights = [1 / one.seconds**2 for _, one in able]
        ((photo, original),) = self._random.choices(able, weights)
        at = round(moment.at, 3)
        pace = 0.6 * self._random.lognormvariate(0, 0.25)
        recording = copy_recording(
            original,
            f"{NAME}-{index:05d}-{self._random.getrandbits(32):08x}",
            versions[moment.release],
            Time(at, original.execution["start"], pace),
            f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%dT%H:%M:%SZ}",
        )
        return _Copy(photo, moment.scene, recording)

    def _write_executions(self, copies: Sequence[_Copy], latencies: Sequence[float]) -> None:
        states, metrics, logs = StepFunctions.of(self._cloud), self._cloud.metrics, self._cloud.logs
        endpoint = {"EndpointName": self._settings.endpoint, "VariantName": _VARIANT}
        for index, copy in enumerate(copies):
            states.executions.add_ended(copy.recording.execution, copy.recording.events)
            if index % 100 == 0:
                self._report(0.75 + 0.2 * index / len(copies), f"{index:,} executions written")
        metrics.record_past(
            row
            for copy in copies
            for row in list_metrics(copy.recording, endpoint, self._random.choice(latencies))
        )
        logs.append_past([row for copy in copies for row in copy.recording.logs])

    def _write_captures(self, copies: Sequence[_Copy]) -> list[Capture]:
        """Write what was captured in files of an hour, as data capture does; return it."""
        written: list[Capture] = []
        hours: dict[int, list[_Copy]] = defaultdict(list)
        for copy in copies:
            if copy.recording.capture is not None:
                hours[int(copy.recording.execution["start"] // 3600)].append(copy)
        self._report(0.95, "Writing captures")
        for hour, held in hours.items():
            first = dt.datetime.fromtimestamp(held[0].recording.execution["start"], dt.UTC)
            folder = f"{self._settings.capture_prefix}/{self._settings.endpoint}/{_VARIANT}"
            key = f"{folder}/{first:%Y/%m/%d/%H/%M-%S}-000-{inference_id(str(hour))}.jsonl"
            body = b"".join(copy.recording.capture or b"" for copy in held)
            delivered = held[-1].recording.execution["stop"] + 90
            self._put_object(key, body, "application/octet-stream", delivered)
            written += read_captures(body, key).captures
        return written

    def _write_labels(
        self, copies: Sequence[_Copy], captures: Sequence[Capture], now: float
    ) -> None:
        """Write a draw of a day ago, and what a reviewer said of most of its photos."""
        at = dt.datetime.fromtimestamp(now - DAY, dt.UTC)
        able = [one for one in captures if one.inference_time and one.inference_time < at]
        draw = draw_photos(able, self._settings.threshold, at, self._random)
        kinds = {inference_id(one.recording.execution["arn"]): one.photo.kind for one in copies}
        self._put_object(f"{_DRAWS}/{draw.id}.json", to_json(draw), "application/json", now)
        key = ground_truth_key(_TRUTHS, at, draw.id)
        said = ground_truth_lines(label_photos(draw, kinds, at))
        self._put_object(key, said, "application/jsonl", now)

    def _put_object(self, key: str, body: bytes, kind: str, modified: float) -> None:
        self._cloud.s3.write_past(self._settings.bucket, key, body, kind, modified)
        self._objects.append(key)
