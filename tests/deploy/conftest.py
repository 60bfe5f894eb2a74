"""An account in moto, for what ``deploy`` does with boto3."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
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
    """A session in an account of moto's, and every operation that was called in it.

    Attributes:
        session: The same one for every test: it takes 0.2 s of CPU to make its clients.
        calls: The operations that were called, as ``service:Operation``.
        before_call: Is asked before each call, with the model of its operation.
        before_send: Is asked before each request is sent; what it returns is the response.
    """

    session: boto3.Session
    notes: Path
    calls: list[str] = field(default_factory=list)
    before_call: Callable[[Any], None] = lambda _: None
    before_send: Callable[..., Any] = lambda **_: None
    _answers: dict[str, list[Any]] = field(default_factory=dict)

    def answer(self, operation: str, *answers: Any) -> None:
        """Give the next calls of ``service.Operation`` these answers, then moto's again.

        An answer is a response, an error as ``(code, message, status)``, an exception to raise,
        or None for moto's.
        """
        self._answers.setdefault(operation, []).extend(answers)

    def reply(self, service: str, operation: str) -> Any:
        """Return the answer that waits for a call, or None for moto's."""
        waiting = self._answers.get(f"{service}.{operation}")
        answer = waiting.pop(0) if waiting else None
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, tuple):
            code, message, status = answer
            said = {"Error": {"Code": code, "Message": message}}
            return _Status(status), {**said, "ResponseMetadata": {"HTTPStatusCode": status}}
        return None if answer is None else (_Status(200), answer)

    def client(self, service: str) -> Any:
        """Return a client whose calls are not recorded."""
        return _unrecorded_client(service)

    def cloud(self, owner: Settings | None = None, holder: str = "test") -> AwsCloud:
        return AwsCloud(
            owner or settings(), self.session, holder=holder, notes=self.notes, pause=no_pause
        )


@cache
def _unrecorded_client(service: str) -> Any:
    session: Any = boto3.Session(region_name=REGION)
    return session.client(service)


_current: list[Account] = []
"""The account of the test that is running: clients keep the handlers that they were made with."""


@cache
def _recorded_session() -> boto3.Session:
    """Return a session whose calls are those of the current account."""

    def before_call(model: Any, **_: Any) -> Any:
        (account,) = _current
        service = model.service_model.service_name
        account.calls.append(f"{service}:{model.name}")
        account.before_call(model)
        return account.reply(service, model.name)

    def before_send(**given: Any) -> Any:
        (account,) = _current
        return account.before_send(**given)

    session = boto3.Session(region_name=REGION)
    events: Any = session.events  # its stub wants handlers that return nothing
    events.register("before-call", before_call)
    events.register_first("before-send", before_send)
    return session


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Account]:
    """An empty account in which time does not pass and small artifacts are deployed."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("SCONES_CLOUD", "aws")
    monkeypatch.setattr(AwsCloud, "check_account", lambda *_: ALLOWING)
    monkeypatch.setattr(deployment, "collect_artifacts", lambda *_, **__: artifacts())
    monkeypatch.setattr(clients, "POLLING", ())
    monkeypatch.setattr(clients, "LONGEST_POLL", 0)
    moto_gaps.install(monkeypatch)
    with mock_aws(config={"lambda": {"use_docker": False}}):
        made = Account(_recorded_session(), tmp_path / "locks")
        _current[:] = [made]
        yield made
    _current.clear()


@pytest.fixture
def one_session(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open the account's session whichever is asked for."""
    monkeypatch.setattr("deploy.providers.session.Session", lambda **_: account.session)
