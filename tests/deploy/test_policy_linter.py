"""Every policy document passes parliament, an IAM linter that shares no code with ours."""

import json
import subprocess
from pathlib import Path

import pytest

from deploy import policies
from deploy.resources import Document, IamRole, Queue, Topic
from deploy.user_policies import User, user_policy
from tests.deploy.cases import desired, settings

PARLIAMENT = Path(__file__).parents[2] / ".venv/parliament/bin/parliament"

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        not PARLIAMENT.exists(), reason="parliament is absent; `make linters` installs it"
    ),
]


def documents() -> dict[str, Document]:
    """What each role may do, and who may use the bucket, the topic and the queue, by name."""
    roles = {one.name: one.policy for one in desired() if isinstance(one, IamRole)}
    shared = {
        one.KIND: one.policy for one in desired() if isinstance(one, Topic | Queue) and one.policy
    }
    return {
        **roles,
        **shared,
        "bucket": policies.bucket_policy(settings()),
        "batch": policies.batch_policy(settings()),
    }


def lint(document: Document, folder: Path) -> str:
    path = folder / "policy.json"
    path.write_text(json.dumps(document))
    run = subprocess.run(
        [PARLIAMENT, "--files", path, "--json"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return run.stdout.strip()


@pytest.mark.parametrize("name", sorted(documents()))
def test_the_linter_finds_nothing(name: str, tmp_path: Path) -> None:
    assert lint(documents()[name], tmp_path) == ""


def test_the_linter_does_find_something(tmp_path: Path) -> None:
    misspelt = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["s3:GetObjec"], "Resource": ["*"]}],
    }

    assert "UNKNOWN_ACTION" in lint(misspelt, tmp_path)


def test_a_watcher_may_only_read_but_read_any_workflow(tmp_path: Path) -> None:
    found = lint(user_policy(User.WATCHER, settings()), tmp_path).splitlines()

    assert {json.loads(line)["issue"] for line in found} == {"RESOURCE_STAR"}


@pytest.mark.parametrize("user", [User.VIEWER, User.OPERATOR])
def test_of_what_people_may_do_the_linter_has_two_remarks(user: User, tmp_path: Path) -> None:
    found = [
        json.loads(line) for line in lint(user_policy(user, settings()), tmp_path).splitlines()
    ]

    # DescribeAlarms is granted on all; express executions, which are not described, are left out.
    (star,) = (one["detail"] for one in found if one["issue"] == "RESOURCE_STAR")
    (formats,) = (one["detail"] for one in found if one["issue"] == "RESOURCE_MISMATCH")
    assert len(found) == 2
    assert star == ["cloudwatch:DescribeAlarms"]
    assert all(":express:" in one["required_format"] for one in formats)
