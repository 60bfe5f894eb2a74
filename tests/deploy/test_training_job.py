"""``deploy train`` as a SageMaker training job: started, followed, found again, and refused."""

import re
import time
from typing import Any

import pytest

from deploy import deployment
from deploy.__main__ import DONE, FAILED, INTERRUPTED, main
from deploy.providers.session import open_session
from tests.deploy.conftest import Account

DATA = "s3://data/x"
CHANGES = re.compile(r"sagemaker:(Create|Update|Delete)")


@pytest.fixture(autouse=True)
def training_set(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a list of images where the job finds it; commands use the account's session."""
    monkeypatch.setattr(
        "deploy.deployment.open_session",
        lambda *given, **more: (account.session, open_session(*given, **more)[1]),
    )
    account.client("s3").create_bucket(Bucket="data")
    account.client("s3").put_object(Bucket="data", Key="x/train.lst", Body=b"0\t1\ta.png")


def jobs(account: Account) -> list[str]:
    found = account.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    return [one["TrainingJobName"] for one in found]


def described(status: str, **more: Any) -> dict[str, Any]:
    return {"TrainingJobStatus": status, "SecondaryStatus": status, **more}


def test_a_job_trains_and_the_endpoint_stays_as_it_is(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", DATA, "--sagemaker", "--yes"]) == DONE

    said = capsys.readouterr().out
    (name,) = jobs(account)
    assert [call for call in account.calls if CHANGES.match(call)] == [
        "sagemaker:CreateTrainingJob"
    ]
    assert "Training once on ml." in said
    assert f"{name} has trained for" in said
    assert "at list prices of" in said
    assert f"apply --train {DATA} --keep-endpoint" in said


def test_a_job_is_not_started_without_a_yes(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "n")

    assert main(["train", DATA, "--sagemaker"]) == FAILED
    assert jobs(account) == []


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_job_that_fails_or_is_stopped_ends_in_its_reason_and_changes_nothing_else(
    account: Account, capsys: pytest.CaptureFixture[str], status: str
) -> None:
    account.answer("sagemaker.DescribeTrainingJob", described(status, FailureReason="no images"))

    assert main(["train", DATA, "--sagemaker", "--yes"]) == FAILED

    told = capsys.readouterr()
    assert f"has {status}: no images" in told.out + told.err
    assert "keep-endpoint" not in told.out
    assert [call for call in account.calls if CHANGES.match(call)] == [
        "sagemaker:CreateTrainingJob"
    ]


def test_after_ctrl_c_the_job_goes_on_and_is_followed_by_its_name(
    account: Account, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    account.answer("sagemaker.DescribeTrainingJob", described("InProgress"))
    with monkeypatch.context() as patch:
        apply = deployment.apply

        def interrupted(*given: Any) -> Any:
            for event in apply(*given):
                yield event
                if "InProgress" in str(event):
                    raise KeyboardInterrupt

        patch.setattr(deployment, "apply", interrupted)
        assert main(["train", DATA, "--sagemaker", "--yes"]) == INTERRUPTED
    said = capsys.readouterr().out
    (name,) = jobs(account)

    assert f"python -m deploy train --job {name}" in said
    assert main(["train", "--job", name]) == DONE
    assert f"{name} has trained" in capsys.readouterr().out


def test_the_log_of_a_job_is_shown_once(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["train", DATA, "--sagemaker", "--yes"])
    (name,) = jobs(account)
    capsys.readouterr()
    logs, group = account.client("logs"), "/aws/sagemaker/TrainingJobs"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=f"{name}/algo-1")
    logs.put_log_events(
        logGroupName=group,
        logStreamName=f"{name}/algo-1",
        logEvents=[
            {"timestamp": int(time.time() * 1000), "message": "Epoch[0] Train-accuracy=0.9"}
        ],
    )
    account.answer("sagemaker.DescribeTrainingJob", described("InProgress"))

    assert main(["train", "--job", name]) == DONE

    assert capsys.readouterr().out.count("Epoch[0] Train-accuracy=0.9") == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--job", "nobody"], "There is no training job nobody"),
        (["--sagemaker"], "No training set is given"),
        (["images/", "--sagemaker"], "is no S3 prefix"),
        (["s3://data/empty", "--sagemaker"], "empty/train.lst is missing or empty"),
        ([DATA, "--sagemaker", "--endpoint", "another"], "only one can be used"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_starts(
    account: Account, capsys: pytest.CaptureFixture[str], arguments: list[str], code: str
) -> None:
    assert main(["train", *arguments]) == FAILED

    assert code in capsys.readouterr().err
    assert jobs(account) == []
