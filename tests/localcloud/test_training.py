"""Training jobs of the local cloud: labelled pictures in, a model that an endpoint serves out."""

import io
import json

import numpy as np
import pytest
from botocore.exceptions import ClientError
from PIL import Image

from localcloud.training import fit

GIVEN = {"image_shape": "3,8,8", "num_classes": "2", "num_training_samples": "20"}


def png(shade):
    """A small picture of one shade and a little noise, the same each time."""
    noise = np.random.default_rng(shade).integers(0, 20, (8, 8, 3))
    out = io.BytesIO()
    Image.fromarray((noise + shade).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def test_pictures_of_two_kinds_are_told_apart():
    labels = [number % 2 for number in range(20)]
    rows = np.array([fit.read_pixels(png(200 if label else 20 + n), 8, 8)
                     for n, label in enumerate(labels)])  # fmt: skip
    trained = fit.train_model((rows, labels), (rows, labels), GIVEN)
    assert trained.accuracy == trained.validation == 1.0


@pytest.mark.parametrize("labels", [[], [0, 2], [-1]])
def test_labels_that_are_no_class_are_refused(labels):
    rows = np.zeros((len(labels), 4))
    with pytest.raises(ValueError, match="labels must be from 0 to 1"):
        fit.train_model((rows, labels), (rows, labels), GIVEN)


def test_a_list_is_read_as_the_starter_notebook_writes_it():
    assert fit.parse_list("16\t0\tbike.png\n30\t1.0\tmoto.png\r\n\n") == [
        (0, "bike.png"),
        (1, "moto.png"),
    ]


@pytest.fixture
def prepared(local_cloud, build):
    """A bucket with pictures and their lists; gives the request of a job on it."""
    s3, name = local_cloud.client("s3"), build.unique("training")
    s3.create_bucket(Bucket=name)
    for channel in ("train", "test"):
        lines = []
        for number in range(10):
            label = number % 2
            s3.put_object(Bucket=name, Key=f"d/{channel}/{number}.png",
                          Body=png(200 if label else 20 + number))  # fmt: skip
            lines.append(f"{number}\t{label}\t{number}.png\n")
        s3.put_object(Bucket=name, Key=f"d/{channel}.lst", Body="".join(lines).encode())
    urls = {"train": "train/", "validation": "test/",
            "train_lst": "train.lst", "validation_lst": "test.lst"}  # fmt: skip
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "RoleArn": build.role(local_cloud),
        "HyperParameters": GIVEN,
        "InputDataConfig": [
            {"ChannelName": channel,
             "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix",
                                             "S3Uri": f"s3://{name}/d/{key}"}}}
            for channel, key in urls.items()
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{name}/models"},
        "ResourceConfig": {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 1,
                           "VolumeSizeInGB": 50},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "Tags": [{"Key": "project", "Value": "p"}],
    }  # fmt: skip


def ended(sagemaker, build, name):
    def job():
        found = sagemaker.describe_training_job(TrainingJobName=name)
        return found if found["TrainingJobStatus"] != "InProgress" else None

    return build.wait_for(job)


@pytest.mark.cloud
def test_a_job_ends_in_a_model_that_an_endpoint_serves(local_cloud, build, prepared):
    sagemaker, name = local_cloud.client("sagemaker"), prepared["TrainingJobName"]
    arn = sagemaker.create_training_job(**prepared)["TrainingJobArn"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == prepared["Tags"]
    with pytest.raises(ClientError, match="ResourceInUse"):
        sagemaker.create_training_job(**prepared)

    job = ended(sagemaker, build, name)

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    assert job["HyperParameters"] == GIVEN
    assert {m["MetricName"]: m["Value"] for m in job["FinalMetricDataList"]} == {
        "train:accuracy": 1.0,
        "validation:accuracy": 1.0,
    }
    listed = sagemaker.list_training_jobs(NameContains=name)["TrainingJobSummaries"]
    assert [one["TrainingJobStatus"] for one in listed] == ["Completed"]
    url = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert url == f"s3://{name}/models/{name}/output/model.tar.gz"
    container = {"Image": "image", "ModelDataUrl": url}
    sagemaker.create_model(
        ModelName=name, ExecutionRoleArn=prepared["RoleArn"], PrimaryContainer=container
    )
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large",
               "InitialInstanceCount": 1}  # fmt: skip
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    runtime = local_cloud.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName=name, ContentType="image/png", Body=png(200))
    bicycle, motorcycle = json.loads(answer["Body"].read())
    assert motorcycle > 0.5 > bicycle
    with pytest.raises(ClientError, match="415"):
        runtime.invoke_endpoint(EndpointName=name, ContentType="text/csv", Body=b"1,2")


@pytest.mark.cloud
def test_a_job_whose_data_is_missing_fails_and_says_what_is_missing(local_cloud, build, prepared):
    sagemaker, name = local_cloud.client("sagemaker"), prepared["TrainingJobName"]
    local_cloud.client("s3").delete_object(Bucket=name, Key="d/test.lst")
    sagemaker.create_training_job(**prepared)

    job = ended(sagemaker, build, name)

    assert job["TrainingJobStatus"] == "Failed"
    assert f's3://{name}/d/test.lst"' in job["FailureReason"]
    with pytest.raises(ClientError, match="Requested resource not found"):
        sagemaker.describe_training_job(TrainingJobName=build.unique("none"))


@pytest.mark.cloud
def test_a_job_can_be_stopped(local_cloud, build, prepared):
    sagemaker, name = local_cloud.client("sagemaker"), prepared["TrainingJobName"]
    sagemaker.create_training_job(**prepared)
    sagemaker.stop_training_job(TrainingJobName=name)
    found = build.wait_for(
        lambda: sagemaker.list_training_jobs(NameContains=name, StatusEquals="Stopped")[
            "TrainingJobSummaries"
        ]
    )
    assert found[0]["TrainingJobName"] == name
