"""Definitions, good and bad, created by eight threads at once, and executions of the good ones.

Run: ``python -m benchmarks.definitions``. Starts a local cloud of its own. Nothing may be accepted
that is bad or refused that is good; of 5,000 executions none may be running in the end, and none
may have an empty history. ``tests/localcloud/test_storm.py`` runs the same, with fewer.
"""

import json
import os
import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3

from benchmarks.executions import local_cloud

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient

THREADS, DEFINITIONS, EXECUTIONS = 8, 500, 5_000
SECONDS = 60
ROLE = "arn:aws:iam::123456789012:role/any"
PASS = {"Type": "Pass", "End": True}
QUERY = {"Type": "Pass", "Output": "{% $states.input.l[$ > 0] %}", "End": True}
CHOICE = {
    "Type": "Choice",
    "Choices": [{"Variable": "$.l[0]", "NumericGreaterThan": 0, "Next": "S"}],
    "Default": "F",
}
FAILING = {"StartAt": "X", "States": {"X": {**PASS, "Parameters": {"a.$": "$.none"}}}}


def machine(language: str = "JSONPath", **states: object) -> dict[str, Any]:
    """Return a definition of some states, starting at the first."""
    return {"QueryLanguage": language, "StartAt": next(iter(states)), "States": states}


GOOD = (
    machine(A={**PASS, "InputPath": "$", "OutputPath": "$"}),
    machine("JSONata", A=QUERY),
    machine(C=CHOICE, S={"Type": "Succeed"}, F={"Type": "Fail", "Error": "Small"}),
    machine(M={"Type": "Map", "ItemsPath": "$.l", "End": True,
               "ItemProcessor": {"StartAt": "I", "States": {"I": PASS}}}),
    machine(P={"Type": "Parallel", "Branches": [FAILING], "End": True}),
)  # fmt: skip
BAD = (
    machine("JSONata", A={**PASS, "OutputPath": "$"}),
    machine("JSONata", A={**PASS, "Output": "{% $a. %}"}),
    machine(A={**PASS, "Parameters": {"a.$": "event"}}),
    machine(A={"Type": "Fail", "Next": "A"}),
)


def create(states: "SFNClient", thread: int, count: int) -> tuple[list[str], Counter[str]]:
    """Create so many definitions: ARNs, and how often the cloud judged wrongly."""
    chance, arns, wrong = random.Random(thread), [], Counter[str]()
    for number in range(count):
        good = chance.random() < 0.5  # noqa: PLR2004 - half of them
        definition = {**chance.choice(GOOD if good else BAD), "Comment": f"{thread} {number}"}
        try:
            made = states.create_state_machine(
                name=f"m-{thread}-{number}", definition=json.dumps(definition), roleArn=ROLE
            )
        except states.exceptions.InvalidDefinition:
            wrong["refused"] += good
        else:
            wrong["accepted"] += not good
            arns.append(made["stateMachineArn"])
    return arns, wrong


def ending(states: "SFNClient", arn: str) -> str:
    """Return how an execution ended, or what is wrong with it."""
    deadline = time.monotonic() + SECONDS
    while (status := states.describe_execution(executionArn=arn)["status"]) == "RUNNING":
        if time.monotonic() > deadline:
            return "RUNNING"
        time.sleep(0.05)
    events = states.get_execution_history(executionArn=arn, maxResults=1)["events"]
    return status if events else "empty history"


def create_all(
    states: "SFNClient", pool: ThreadPoolExecutor, count: int
) -> tuple[list[str], dict[str, int]]:
    """Create so many definitions in each thread: ARNs, and how often the cloud judged wrongly."""
    found = list(pool.map(lambda thread: create(states, thread, count), range(THREADS)))
    wrong = sum((counter for _, counter in found), Counter[str]())
    return [arn for arns, _ in found for arn in arns], dict(+wrong)


def run_all(
    states: "SFNClient", pool: ThreadPoolExecutor, arns: list[str], count: int
) -> Counter[str]:
    """Start so many executions and count how they ended."""

    def start(number: int) -> str:
        text = json.dumps({"l": [number % 3, 1]})
        arn = arns[number % len(arns)]
        return states.start_execution(stateMachineArn=arn, input=text)["executionArn"]

    begun = list(pool.map(start, range(count)))
    return Counter(pool.map(lambda arn: ending(states, arn), begun))


def main() -> int:
    """Print what came of everything; 0 where nothing is wrong."""
    with local_cloud() as line, ThreadPoolExecutor(THREADS) as pool:
        os.environ |= {
            "AWS_ENDPOINT_URL": line["endpoint_url"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_SHARED_CREDENTIALS_FILE": line["credentials_file"],
        }
        states = boto3.client("stepfunctions")
        started = time.perf_counter()
        arns, wrong = create_all(states, pool, DEFINITIONS)
        print(f"{THREADS * DEFINITIONS} definitions in {time.perf_counter() - started:.0f} s, "
              f"{len(arns)} accepted, judged wrongly: {wrong or 'none'}")  # fmt: skip
        started = time.perf_counter()
        endings = run_all(states, pool, arns, EXECUTIONS)
        print(f"{EXECUTIONS} executions in {time.perf_counter() - started:.0f} s: {dict(endings)}")
        return 1 if wrong or set(endings) - {"SUCCEEDED", "FAILED"} else 0


if __name__ == "__main__":
    sys.exit(main())
