"""An account in moto, for what ``deploy`` does with boto3."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from moto import mock_aws

from deploy import check, deployment
from deploy.providers import clients
from deploy.providers.aws import AwsCloud
from tests.deploy import moto_gaps
from tests.deploy.cases import REGION, artifacts, settings
from workflow.settings import Settings

ALLOWING = check.CheckedAccount(
    denied=(),
    quotas={"ml.m5.large for endpoint usage": 4, "ml.c5.large for endpoint usage": 4},
    lambda_at_once=1000,
)
"""What an account answers in which nothing is in the way; moto has none of these calls."""


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what S3 does not take of the audit out of the checkout."""
    monkeypatch.setenv("SCONES_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


def no_pause(_seconds: float) -> None:
    """Let no time pass."""


class _Status(NamedTuple):
    """As much of an HTTP response as botocore looks at."""

    status_code: int


@dataclass
class Account:
    """A session in an account of moto's, and every operation that was called in it."""

    session: boto3.Session
    calls: list[str] = field(default_factory=list)

    def answer(self, operation: str, *answers: Any) -> None:
        """Give the next calls of ``service.Operation`` these answers, then moto's again.

        An answer is a response, an error as ``(code, message, status)``, an exception to raise,
        or None for moto's.
        """
        waiting = list(answers)

        def reply(**_: Any) -> Any:
            answer = waiting.pop(0) if waiting else None
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, tuple):
                code, message, status = answer
                said = {"Error": {"Code": code, "Message": message}}
                return _Status(status), {**said, "ResponseMetadata": {"HTTPStatusCode": status}}
            return None if answer is None else (_Status(200), answer)

        self.session.events.register(f"before-call.{operation}", reply)
        clients.account_of.cache_clear()  # clients keep the handlers that they were made with

    def client(self, service: str) -> Any:
        session: Any = boto3.Session(region_name=REGION)
        return session.client(service)

    def cloud(self, owner: Settings | None = None, holder: str = "test") -> AwsCloud:
        return AwsCloud(owner or settings(), self.session, holder=holder, pause=no_pause)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An empty account in which time does not pass and small artifacts are deployed."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("SCONES_CLOUD", "aws")
    monkeypatch.setattr(AwsCloud, "account", lambda *_: ALLOWING)
    monkeypatch.setattr(deployment, "artifacts", lambda *_, **__: artifacts())
    monkeypatch.setattr(clients, "POLLING", ())
    monkeypatch.setattr(clients, "LONGEST_POLL", 0)
    moto_gaps.install(monkeypatch)
    with mock_aws(config={"lambda": {"use_docker": False}}):
        session = boto3.Session(region_name=REGION)
        made = Account(session)
        session.events.register(
            "before-call",
            lambda model, **_: made.calls.append(
                f"{model.service_model.service_name}:{model.name}"
            ),
        )
        yield made
