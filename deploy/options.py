"""The options that every command of deploy shares, and the environment that they override."""

import argparse
import os
import sys
from typing import NoReturn

from workflow.thresholds import VARIABLE

USAGE = 1
"""Exit code of a command line that cannot be understood: 2 means that changes are pending."""


def read_environment(options: argparse.Namespace) -> dict[str, str]:
    """Return the environment with what the command line overrides."""
    given = {
        "SCONES_PROJECT": options.project,
        "SCONES_STAGE": options.stage,
        "SCONES_ENDPOINT": options.endpoint,
        "SCONES_TRAINING_DATA": options.train,
        VARIABLE: options.threshold,
        "SCONES_TRAINING_INSTANCE": options.training_instance,
        "SCONES_INSTANCE_TYPE": options.instance_type,
        "SCONES_SAMPLING_PERCENTAGE": options.sampling_percentage,
        "SCONES_ALARM_EMAIL": options.alarm_email,
    }
    return {**os.environ, **{name: value for name, value in given.items() if value is not None}}


class Parser(argparse.ArgumentParser):
    """A parser whose usage errors end with 1: 2 means that changes are pending."""

    def error(self, message: str) -> NoReturn:
        """Say what cannot be understood, and end."""
        # argparse itself exits with 2, which means "changes are pending" here.
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def shared_options() -> Parser:
    """Return the options of every command: which deployment, where, and what it is to be."""
    shared = Parser(add_help=False)
    shared.add_argument("--project", help="first part of every name (SCONES_PROJECT)")
    shared.add_argument("--stage", help="second part of every name (SCONES_STAGE)")
    shared.add_argument(
        "--region", help="AWS region, else AWS_REGION, AWS_DEFAULT_REGION or the profile's"
    )
    endpoint = shared.add_mutually_exclusive_group()
    endpoint.add_argument(
        "--endpoint", metavar="NAME", help="use this SageMaker endpoint (SCONES_ENDPOINT)"
    )
    endpoint.add_argument(
        "--train",
        metavar="S3_PREFIX",
        help="train SageMaker's image classification on this prefix (SCONES_TRAINING_DATA)",
    )
    shared.add_argument(
        "--threshold",
        help="confidence that is accepted, else the deployed one (SCONES_THRESHOLD)",
    )
    shared.add_argument(
        "--training-instance", help="that trains, with a GPU (SCONES_TRAINING_INSTANCE)"
    )
    shared.add_argument("--instance-type", help="of the endpoint (SCONES_INSTANCE_TYPE)")
    shared.add_argument(
        "--sampling-percentage",
        metavar="PERCENT",
        help="share of inferences captured (SCONES_SAMPLING_PERCENTAGE)",
    )
    shared.add_argument(
        "--alarm-email", metavar="ADDRESS", help="who is told of faults (SCONES_ALARM_EMAIL)"
    )
    return shared
