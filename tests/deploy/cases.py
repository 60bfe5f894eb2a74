"""Small deployments that the tests of ``deploy`` share."""

from typing import Any

from deploy import package, stack
from deploy.package import Artifacts
from deploy.resources import CloudResource
from workflow.settings import Settings

ACCOUNT = "123456789012"
REGION = "us-east-1"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.6.0-cpu-py312"
DEFINITION = {
    "StartAt": "SerializeImage",
    "States": {
        "SerializeImage": {"Type": "Task", "Resource": "${SerializeImageArn}", "Next": "Classify"},
        "Classify": {"Type": "Task", "Resource": "${ClassifyImageArn}", "Next": "Filter"},
        "Filter": {"Type": "Task", "Resource": "${FilterInferencesArn}", "End": True},
    },
}


def settings(**changes: Any) -> Settings:
    return Settings(**{"account": ACCOUNT, "region": REGION, **changes})


def artifacts(*, code: str = "1", model: str = "a") -> Artifacts:
    """Functions whose code is a word, and a model whose digest is a letter repeated."""
    return Artifacts(
        functions={
            name: package.deterministic_zip({f"{name}.py": code.encode()})
            for name in package.FUNCTIONS
        },
        definition=DEFINITION,
        model=b"model " + model.encode(),
        model_digest=model * 64,
        image=IMAGE,
        training_samples=1000,
    )


def desired(**changes: Any) -> tuple[CloudResource, ...]:
    return stack.build_stack(settings(**changes), artifacts())
