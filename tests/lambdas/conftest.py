"""The handlers as Lambda runs them: a module imported once, in an environment of its own."""

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

import boto3
import pytest
from moto import mock_aws

ENDPOINT = "an-endpoint"
BUCKET = "a-bucket"


@dataclass(frozen=True)
class Context:
    """As much of Lambda's context as the handlers read."""

    aws_request_id: str = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def context() -> Context:
    return Context()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """moto instead of AWS, with one bucket."""
    for name, value in {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "SCONES_ENDPOINT": ENDPOINT,
        "SCONES_THRESHOLD": "0.93",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield


def classes(size: int) -> list[str]:
    """Names of so many classes, of several words as CIFAR-100 and ImageNet have them."""
    return [f"kind {number}, of photo" for number in range(size)]


def peak(size: int, best: int, confidence: float) -> list[float]:
    """Probabilities of so many classes, of which one is likeliest."""
    rest = (1 - confidence) / (size - 1)
    return [confidence if number == best else rest for number in range(size)]


@pytest.fixture
def load(aws: None) -> Callable[[str], ModuleType]:
    """Import a handler again, so that its clients are made under moto."""

    def fresh(name: str) -> ModuleType:
        module = f"lambdas.{name}.handler"
        sys.modules.pop(module, None)
        return importlib.import_module(module)

    return fresh
