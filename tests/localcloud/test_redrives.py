"""Redrives: what failed is done again, what succeeded is not."""

import json
import time
from itertools import zip_longest
from typing import Any

import pytest

from localcloud.states.progress import from_json
from tests.localcloud.test_states_runs import FUNCTION, Runner, Services

CALL = {"Type": "Task", "Resource": FUNCTION}


class Flaky(Services):
    """A function that fails for what it is told to, and notes what it is asked."""

    def __init__(self, *bad: Any) -> None:
        super().__init__(self.serve)
        self.bad = set(bad)
        self.asked: list[Any] = []
        self.may_fail = lambda: True

    def serve(self, payload: Any) -> Any:
        self.asked.append(payload)
        if payload in self.bad:
            deadline = time.monotonic() + 30
            while not self.may_fail():
                assert time.monotonic() < deadline
                time.sleep(0.005)
            raise ValueError(payload)
        return payload

    def mend(self) -> None:
        self.bad.clear()
        self.asked.clear()


def line(**states: dict[str, Any]) -> dict[str, Any]:
    """A machine of states that follow each other."""
    names = list(states)
    following = zip_longest(names, names[1:])
    return {
        "StartAt": names[0],
        "States": {n: {**states[n], **({"Next": m} if m else {"End": True})} for n, m in following},
    }


def value(result: Any, **fields: Any) -> dict[str, Any]:
    return {"Type": "Pass", "Result": result, **fields}


def failed(machine: dict[str, Any], services: Services, data: Any = None) -> Runner:
    run: Runner = Runner(machine["States"], data, services).end()
    assert run.ending.status == "FAILED", run.ending
    return run


def redriven(run: Runner, machine: dict[str, Any], services: Services, data: Any = None) -> Runner:
    """Go on where a run failed, by what the store keeps of it."""
    kept = json.dumps(run.run.progress.as_json())
    again: Runner = Runner(machine["States"], data, services, from_json(json.loads(kept))).end()
    return again


def entered(run: Runner) -> list[str]:
    details = (event.get("stateEnteredEventDetails") for event in run.history)
    return [found["name"] for found in details if found]


def iterations(run: Runner) -> list[int]:
    started = (event.get("mapIterationStartedEventDetails") for event in run.history)
    return [details["index"] for details in started if details]


def test_branches_that_failed_go_on_at_the_state_that_failed():
    services = Flaky("two")
    good, bad = line(A=value("one"), B=CALL), line(C=value("zero"), D=CALL, E=value("two"), F=CALL)
    machine = line(Before=value("in"), P={"Type": "Parallel", "Branches": [good, bad]})
    runs: list[Runner] = []
    services.may_fail = lambda: bool(runs) and 0 in runs[0].run.progress.outputs
    runs.append(Runner(machine["States"], None, services))
    assert runs[0].end().ending.error == "ValueError"
    services.mend()

    again = redriven(runs[0], machine, services)

    assert again.output == ["one", "two"]
    assert services.asked == ["two"]
    assert entered(again) == []
    assert again.types[1:] == [
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionSucceeded",
        "TaskStateExited",
        "ParallelStateSucceeded",
        "ParallelStateExited",
        "ExecutionSucceeded",
    ]
    (task,) = [event["id"] for event in runs[0].history
               if event.get("stateEnteredEventDetails", {}).get("name") == "F"]  # fmt: skip
    assert again.history[1]["previousEventId"] == task


def test_iterations_that_failed_or_were_not_begun_are_run_and_no_others():
    services = Flaky("c")
    items = {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": line(A=CALL)}
    machine, data = line(M=items), ["a", "b", "c", "d"]
    first = failed(machine, services, data)
    assert services.asked == ["a", "b", "c"]
    services.mend()

    again = redriven(first, machine, services, data)

    assert again.output == data
    assert services.asked == ["c", "d"]
    assert iterations(again) == [2, 3]


def test_a_map_within_a_parallel_keeps_its_iterations_and_its_variables():
    services = Flaky("b")
    show = {"Type": "Pass", "Parameters": {"got.$": "$", "v.$": "$v"}}
    inner = {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": line(A=CALL, S=show)}
    machine = line(P={"Type": "Parallel", "Branches": [
        line(V=value(["a", "b"], Assign={"v": 7}), M=inner)]})  # fmt: skip
    first = failed(machine, services)
    services.mend()

    again = redriven(first, machine, services)

    assert again.output == [[{"got": "a", "v": 7}, {"got": "b", "v": 7}]]
    assert services.asked == ["b"]


def test_a_retry_within_a_redrive_runs_every_branch_again():
    services = Flaky("b")
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    items = {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": line(A=CALL)}
    machine, data = line(M={**items, "Retry": retry}), ["a", "b"]
    first = failed(machine, services, data)
    assert services.asked == ["a", "b", "a", "b"]
    services.asked.clear()

    again = redriven(first, machine, services, data)

    assert again.ending.error == "ValueError"
    assert services.asked == ["b", "a", "b"]


def test_where_all_succeeded_and_their_outputs_are_too_large_all_is_run_again():
    services = Flaky()
    large = value("x" * 150_000)
    branches = [line(A=CALL, B=large), line(C=CALL, D=large)]
    machine = line(P={"Type": "Parallel", "Branches": branches})
    first = failed(machine, services, "in")
    assert first.ending.error == "States.DataLimitExceeded"

    again = redriven(first, machine, services, "in")

    assert again.ending.error == "States.DataLimitExceeded"
    assert services.asked == ["in"] * 4


@pytest.mark.parametrize("tolerated", [0, 1])
def test_a_map_run_is_redriven_with_what_failed_in_it(tolerated):
    services = Flaky("b", "c")
    machine = line(M={
        "Type": "Map", "MaxConcurrency": 1, "ToleratedFailureCount": tolerated,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                          **line(A=CALL)},
    })  # fmt: skip
    data = ["a", "b", "c", "d"]
    first = failed(machine, services, data)
    services.mend()

    again = redriven(first, machine, services, data)

    assert again.output == data
    assert services.asked == ["b", "c", "d"]
    (started,) = [e for e in first.history if e["type"] == "MapRunStarted"]
    (event,) = [e for e in again.history if e["type"] == "MapRunRedriven"]
    assert event["mapRunRedrivenEventDetails"] == {
        **started["mapRunStartedEventDetails"],
        "redriveCount": 1,
    }
    assert "MapRunStarted" not in again.types


def test_a_second_redrive_remembers_what_the_first_one_did():
    services = Flaky("b", "c")
    items = {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": line(A=CALL)}
    machine, data = line(M=items), ["a", "b", "c"]
    first = failed(machine, services, data)
    services.bad.discard("b")
    second = redriven(first, machine, services, data)
    services.mend()

    third = redriven(second, machine, services, data)

    assert third.output == data
    assert services.asked == ["c"]
