"""Training jobs: created, run in a thread, and ended in a model in S3 or in a failure."""

import threading
import time
from typing import Any

import numpy as np

from localcloud.cloud import LocalCloud
from localcloud.errors import AwsError
from localcloud.service import Service, now, paginate
from localcloud.tags import tag_map
from localcloud.training import fit
from localcloud.wire import Call, Params
from workflow.pictures import PictureRefused

_ENDED = ("Completed", "Failed", "Stopped")
_LOG_GROUP = "/aws/sagemaker/TrainingJobs"


class JobFailed(Exception):  # noqa: N818 - an outcome with a name of its own
    """The job ends without a model; the text is its failure reason."""


class TrainingJobs(Service):
    """The operations on training jobs of the ``sagemaker`` service.

    Whatever image a job names, it is trained as ``fit`` does.
    """

    name = "sagemaker"

    def __init__(self, cloud: LocalCloud) -> None:
        super().__init__(cloud)
        self._jobs = cloud.store.load_table("sagemaker.training-job")
        self._tags = cloud.store.load_table("sagemaker.tags")
        self._lock = threading.RLock()

    def start(self) -> None:
        """Run again what was being trained when the process died."""
        for name, job in self._jobs.items():
            if job["TrainingJobStatus"] not in _ENDED:
                self._begin_training(name)

    def create_training_job(self, call: Call) -> Params:
        p = call.params
        name = p["TrainingJobName"]
        arn = self.cloud.build_arn("sagemaker", f"training-job/{name.lower()}")
        role = p["RoleArn"]
        if not self.cloud.permissions.has_role(role.rpartition("/")[2]):
            raise AwsError(
                "ValidationException",
                f"Could not assume role {role}. Please ensure that the role exists and allows "
                "principal 'sagemaker.amazonaws.com' to assume the role.",
            )
        with self._lock:
            if name in self._jobs:
                raise AwsError(
                    "ResourceInUse",
                    "Job name must be unique within an AWS account and region, and a job with this "
                    f"name already exists ({arn})",
                )
            moment = now()
            self._jobs[name] = {
                **{key: value for key, value in p.items() if key != "Tags"},
                "TrainingJobArn": arn,
                "CreationTime": moment,
                "LastModifiedTime": moment,
                **_status_fields("InProgress", "Starting"),
            }
            self._tags[arn] = tag_map(p.get("Tags", []))
        self._begin_training(name)
        return {"TrainingJobArn": arn}

    def describe_training_job(self, call: Call) -> Params:
        return dict(self._find_job(call.params["TrainingJobName"]))

    def list_training_jobs(self, call: Call) -> Params:
        p = call.params
        field = {"Name": "TrainingJobName", "Status": "TrainingJobStatus"}.get(
            p.get("SortBy", ""), "CreationTime"
        )
        found = sorted(
            (job for job in self._jobs.values() if _is_wanted(job, p)),
            key=lambda job: job[field],
            reverse=p.get("SortOrder") == "Descending",
        )
        shown, token = paginate(found, p, size="MaxResults", token="NextToken", default=10)  # noqa: S106 - a paging token
        fields = ("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingEndTime",
                  "LastModifiedTime", "TrainingJobStatus", "SecondaryStatus")  # fmt: skip
        listed = [{key: job[key] for key in fields if key in job} for job in shown]
        return {"TrainingJobSummaries": listed} | ({"NextToken": token} if token else {})

    def stop_training_job(self, call: Call) -> Params:
        name = call.params["TrainingJobName"]
        with self._lock:
            job = self._find_job(name)
            if job["TrainingJobStatus"] in _ENDED:
                raise AwsError(
                    "ValidationException",
                    f"The request was rejected because the training job is in status "
                    f"{job['TrainingJobStatus']}.",
                )
            self._jobs[name] = {**job, **_status_fields("Stopping", "Stopping")}
        return {}

    def _find_job(self, name: str) -> Params:
        job = self._jobs.get(name)
        if job is None:
            raise AwsError("ValidationException", "Requested resource not found.")
        return job

    def _begin_training(self, name: str) -> None:
        threading.Thread(target=self._run_job, args=(name,), daemon=True).start()

    def _run_job(self, name: str) -> None:
        """Train, and end as AWS would: no later than the job takes there."""
        ready_at = time.monotonic() + self.cloud.allows.durations.training
        self._change_job(
            name, _status_fields("InProgress", "Training") | {"TrainingStartTime": now()}
        )
        try:
            ended = self._train_job(name)
        except JobFailed as failure:
            ended = _status_fields("Failed", "Failed") | {"FailureReason": str(failure)}
        time.sleep(max(0.0, ready_at - time.monotonic()))
        self._change_job(name, ended | {"TrainingEndTime": now()})

    def _change_job(self, name: str, changes: Params) -> None:
        with self._lock:
            job = self._jobs[name]
            if job["TrainingJobStatus"] == "Stopping":
                # A job that is being stopped goes on to Stopped only, never back to training.
                if "TrainingEndTime" not in changes:
                    return
                changes = _status_fields("Stopped", "Stopped") | {"TrainingEndTime": now()}
            self._jobs[name] = {**job, **changes, "LastModifiedTime": now()}

    def _train_job(self, name: str) -> Params:
        job = self._jobs[name]
        channels = {
            channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"]
            for channel in job.get("InputDataConfig", [])
        }
        given = job.get("HyperParameters", {})
        try:
            rows = self._load_rows(channels, "train", given)
            held_back = self._load_rows(channels, "validation", given)
            trained = fit.train_model(rows, held_back, given)
        except (KeyError, ValueError) as error:
            raise JobFailed(f"ClientError: The job cannot be trained: {error}") from error
        self._log_training(name, trained)
        folder = job["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        url = f"{folder}/{name}/output/model.tar.gz"
        bucket, key = _parse_url(url)
        if not self.cloud.s3.write_object(bucket, key, trained.archive, "application/x-tar"):
            raise JobFailed(f"ClientError: Artifact upload failed: there is no bucket {bucket}")
        metrics = {"train:accuracy": trained.accuracy, "validation:accuracy": trained.validation}
        return _status_fields("Completed", "Completed") | {
            "ModelArtifacts": {"S3ModelArtifacts": url},
            "FinalMetricDataList": [
                {"MetricName": metric, "Value": value, "Timestamp": now()}
                for metric, value in metrics.items()
            ],
        }

    def _load_rows(
        self, channels: Params, channel: str, given: Params
    ) -> tuple[fit.Array, list[int]]:
        """Return the pictures of a channel that its list names, with their labels."""
        _, height, width = (int(part) for part in given["image_shape"].split(","))
        rows, labels = [], list[int]()
        for label, name in fit.parse_list(self._read_object(channels[f"{channel}_lst"]).decode()):
            url = f"{channels[channel].rstrip('/')}/{name}"
            try:
                rows.append(fit.read_pixels(self._read_object(url), width, height))
            except PictureRefused as refused:
                raise JobFailed(f"ClientError: {url} {refused.says}.") from refused
            labels.append(label)
        return np.array(rows), labels

    def _read_object(self, url: str) -> bytes:
        try:
            return self.cloud.s3.read_object(*_parse_url(url))
        except AwsError as error:
            raise JobFailed(
                "ClientError: Data download failed:No S3 objects found under S3 URL "
                f'"{url}" given in input data source. Please ensure that the bucket exists in the '
                f"selected region ({self.cloud.region}) and that objects exist under that S3 prefix"
            ) from error

    def _log_training(self, name: str, trained: fit.Trained) -> None:
        lines = [
            f"Epoch[0] Train-accuracy={trained.accuracy:.6f}",
            f"Epoch[0] Validation-accuracy={trained.validation:.6f}",
        ]
        self.cloud.logs.append_lines(_LOG_GROUP, f"{name}/algo-1", lines)


def _status_fields(status: str, secondary: str) -> Params:
    return {"TrainingJobStatus": status, "SecondaryStatus": secondary}


def _is_wanted(job: Params, params: Params) -> bool:
    wanted: Any = params.get("StatusEquals")
    within: str = params.get("NameContains", "")
    return within in job["TrainingJobName"] and wanted in (None, job["TrainingJobStatus"])


def _parse_url(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key
