"""Every policy document passes parliament, an IAM linter that shares no code with ours."""

import json
import subprocess
from pathlib import Path

import pytest

from deploy import policies
from deploy.resources import Document, Queue, Role, Topic
from tests.deploy.cases import desired, settings

PARLIAMENT = Path(__file__).parents[2] / ".venv/parliament/bin/parliament"

pytestmark = pytest.mark.skipif(
    not PARLIAMENT.exists(), reason="parliament is absent; `make linters` installs it"
)


def documents() -> dict[str, Document]:
    """What each role may do, and who may use the bucket, the topic and the queue, by name."""
    roles = {one.name: one.policy for one in desired() if isinstance(one, Role)}
    shared = {
        one.KIND: one.policy for one in desired() if isinstance(one, Topic | Queue) and one.policy
    }
    return {**roles, **shared, "bucket": policies.bucket_policy(settings())}


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
