"""SageMaker's training jobs."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from deploy.cloud import Observed
from deploy.prices import trained_price
from deploy.providers.clients import Aws, tag_list
from deploy.providers.logs import new_lines
from deploy.providers.sagemaker import read_placement, sagemaker_tags, vpc_config
from deploy.resources import (
    Properties,
    TrainingJob,
)
from workflow.errors import WorkflowError

if TYPE_CHECKING:
    from types_boto3_sagemaker.type_defs import (
        DescribeTrainingJobResponseTypeDef,
    )

_LOG_GROUP = "/aws/sagemaker/TrainingJobs"


class TrainingJobProvider:
    """Reads and writes :class:`TrainingJob`; a finished one is history and is never deleted."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._sagemaker = aws.sagemaker

    def read(self, name: str) -> Observed | None:
        """Return the last attempt that did not fail, else the last one that did."""
        attempts = self._list_attempts(name)
        if not attempts:
            return None
        alive = [one for one, status in attempts if status not in {"Failed", "Stopped"}]
        job = self._sagemaker.describe_training_job(
            TrainingJobName=alive[-1] if alive else attempts[-1][0]
        )
        status = job["TrainingJobStatus"]
        failure = "" if alive else f"It has {status}: {job.get('FailureReason') or status}"
        return Observed(
            properties=_training_properties(job),
            outputs={"model_data": job.get("ModelArtifacts", {}).get("S3ModelArtifacts", "")},
            tags=sagemaker_tags(self._aws, job["TrainingJobArn"]),
            failure=failure,
        )

    def create(self, resource: TrainingJob) -> Iterator[str]:
        """Start the next attempt and wait until it has trained."""
        attempts = self._list_attempts(resource.name)
        # Training jobs cannot be deleted, and a name can be used once only.
        name = f"{resource.name}-{len(attempts) + 1}" if attempts else resource.name
        yield f"Starting the training job {name}"
        self._sagemaker.create_training_job(**_training_request(resource, name))
        yield from self._wait_until_trained(name)

    def update(self, resource: TrainingJob, _observed: Observed) -> Iterator[str]:
        """Wait for the attempt under way: nothing else of a training job can change."""
        yield from self._wait_until_trained(self._list_attempts(resource.name)[-1][0])

    def delete(self, _name: str) -> Iterator[str]:
        """Leave it: a failed attempt is history, and the next one gets the next name."""
        yield "Leaving the failed attempt as it is"

    def follow_job(self, name: str) -> Iterator[str]:
        """Tell how the last attempt goes on until it has trained.

        Raises:
            WorkflowError: ``TrainingJobUnknown``, or ``TrainingFailed``.
        """
        attempts = self._list_attempts(name)
        if not attempts:
            raise WorkflowError(
                "TrainingJobUnknown",
                f"There is no training job {name} in {self._aws.region}.",
                "Look for its name with `aws sagemaker list-training-jobs`.",
            )
        yield from self._wait_until_trained(attempts[-1][0])

    def _list_attempts(self, name: str) -> list[tuple[str, str]]:
        """Return names and statuses of the attempts, the oldest first."""
        pages = self._sagemaker.get_paginator("list_training_jobs").paginate(
            NameContains=name, SortBy="CreationTime", SortOrder="Ascending"
        )
        return [
            (one["TrainingJobName"], one["TrainingJobStatus"])
            for page in pages
            for one in page["TrainingJobSummaries"]
            # NameContains finds the jobs of longer names too.
            if re.fullmatch(rf"{re.escape(name)}(-\d+)?", one["TrainingJobName"])
        ]

    def _wait_until_trained(self, name: str) -> Iterator[str]:
        """Tell status and log until the job has trained, then time, price and accuracy."""
        seen = set[str]()
        for wait in self._aws.growing_waits():
            job = self._sagemaker.describe_training_job(TrainingJobName=name)
            status = job["TrainingJobStatus"]
            yield from new_lines(self._aws, _LOG_GROUP, f"{name}/", seen)
            if status == "Completed":
                yield _summarise_job(job, self._aws.region)
                return
            if status in {"Failed", "Stopped"}:
                raise WorkflowError(
                    "TrainingFailed",
                    f"The training job {name} has {status}: {job.get('FailureReason') or status}",
                    f"Read the log group {_LOG_GROUP}, correct the data, then do the same again: it"
                    " starts a new attempt. The endpoint serves what it served before.",
                )
            yield f"Training: {job.get('SecondaryStatus', status)}"
            wait()


def _summarise_job(job: "DescribeTrainingJobResponseTypeDef", region: str) -> str:
    """Return how long a finished job took, what it cost and how good its model is."""
    said = f"The training job {job['TrainingJobName']} has trained"
    if "TrainingStartTime" in job and "TrainingEndTime" in job:
        took = (job["TrainingEndTime"] - job["TrainingStartTime"]).total_seconds()
        billed = job.get("BillableTimeInSeconds", took)
        price = trained_price(job["ResourceConfig"].get("InstanceType", ""), billed, region)
        said += f" for {took:.0f} s: {price}"
    metrics = [
        f"{one['MetricName']} {one['Value']:.3f}" for one in job.get("FinalMetricDataList", ())
    ]
    return "; ".join((said, *metrics)) + "."


def _training_properties(job: "DescribeTrainingJobResponseTypeDef") -> Properties:
    resources = job["ResourceConfig"]
    return {
        "image": job["AlgorithmSpecification"].get("TrainingImage"),
        "role": job["RoleArn"],
        "hyperparameters": dict(job.get("HyperParameters", {})),
        "channels": {
            one["ChannelName"]: one["DataSource"]["S3DataSource"]["S3Uri"]
            for one in job.get("InputDataConfig", ())
        },
        "output": job["OutputDataConfig"]["S3OutputPath"],
        "instance_type": resources.get("InstanceType"),
        "volume_gb": resources["VolumeSizeInGB"],
        "max_seconds": job["StoppingCondition"].get("MaxRuntimeInSeconds"),
        "status": job["TrainingJobStatus"],
        **read_placement(job),
    }


def _training_request(job: TrainingJob, name: str) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": job.image, "TrainingInputMode": "File"},
        "RoleArn": job.role,
        "HyperParameters": dict(job.hyperparameters),
        "InputDataConfig": [
            {
                "ChannelName": channel,
                "ContentType": "application/x-image",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": url,
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
            for channel, url in job.channels.items()
        ],
        "OutputDataConfig": {"S3OutputPath": job.output},
        "ResourceConfig": {
            "InstanceType": job.instance_type,
            "InstanceCount": 1,
            "VolumeSizeInGB": job.volume_gb,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": job.max_seconds},
        **vpc_config(job),
        "Tags": tag_list(job.tags),
    }
