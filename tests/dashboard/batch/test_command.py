"""The command line of batches, against the local cloud."""

import re
import uuid
from typing import Any

import pytest

from dashboard.aws.cloud import Connection
from dashboard.batch import __main__ as command
from dashboard.batch import client
from tests.builders import png
from workflow.errors import WorkflowError

pytestmark = pytest.mark.cloud


@pytest.fixture
def run(
    batches: Connection, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Connection:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return batches


def test_a_batch_is_started_and_listed(run: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    prefix = f"images/command-{uuid.uuid4().hex[:8]}/"
    run.client("s3").put_object(Bucket=run.settings.bucket, Key=f"{prefix}a.png", Body=png())
    source = f"s3://{run.settings.bucket}/{prefix}"

    assert command.main(["start", source, "--yes"]) == 0
    told = capsys.readouterr().out
    started = re.search(r"Started (\S+)\.", told)
    assert "1 photos" in told
    assert started
    assert command.main(["list"]) == 0
    assert started[1] in capsys.readouterr().out


def test_what_cannot_be_done_is_said(
    run: Connection, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "n")
    prefix = f"images/command-{uuid.uuid4().hex[:8]}/"
    run.client("s3").put_object(Bucket=run.settings.bucket, Key=f"{prefix}a.png", Body=png())

    codes = [
        command.main(arguments)
        for arguments in (
            ["start", f"s3://{run.settings.bucket}/{prefix}"],
            ["start", f"s3://{run.settings.bucket}/images/nothing-is-here/", "--yes"],
            ["start", "images/", "--yes"],
            ["pause", "never-started"],
        )
    ]

    assert codes == [1, 1, 1, 1]
    told = capsys.readouterr().err
    for code in ("NotConfirmed", "BatchEmpty", "BatchSourceInvalid", "ExecutionDoesNotExist"):
        assert code in told


def test_a_start_that_fails_names_what_repeats_it_once(
    run: Connection, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = f"images/command-{uuid.uuid4().hex[:8]}/"
    run.client("s3").put_object(Bucket=run.settings.bucket, Key=f"{prefix}a.png", Body=png())
    source, start = f"s3://{run.settings.bucket}/{prefix}", client.start_batch

    def start_without_answer(*given: Any) -> str:
        start(*given)
        raise WorkflowError("ReadTimeoutError", "Late.", "Wait a minute.")

    with monkeypatch.context() as patched:
        patched.setattr(client, "start_batch", start_without_answer)
        assert command.main(["start", source, "--yes"]) == 1
    named = re.search(r"--name (\S+),", capsys.readouterr().err)
    assert named

    assert command.main(["start", source, "--yes", "--name", named[1]]) == 0
    assert [one.source for one in client.list_latest(run)].count(source) == 1
