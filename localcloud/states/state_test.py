"""TestState: one state by itself, run as a state machine of that state and stubs of its targets."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from localcloud.errors import AwsError
from localcloud.service import now
from localcloud.states.definitions import check_definition
from localcloud.states.engine import Ending, ExecutionRequest, Run
from localcloud.states.failure import StateFailure, find_handler
from localcloud.states.services import Services
from localcloud.states.steps import Mock
from localcloud.states.tokens import Tokens
from localcloud.wire import Params
from workflow.asl.data import to_json

_ALONE = "TestState"
_SECONDS = 300.0


def run_test(params: Params, arn_prefix: str, services: Services) -> Params:
    """Return the answer to TestState.

    Args:
        params: The input of the operation.
        arn_prefix: What the ARNs of the region's executions start with.
        services: What a Task without a mock calls.

    Raises:
        AwsError: ``InvalidDefinition``, ``InvalidExecutionInput`` or ``ValidationException``.
    """
    name, state, language = _read_state(params)
    _check_params(params, state)
    definition = json.dumps(_build_machine(name, state, language))
    check_definition(definition)
    test = _Test(name, state, params)
    test.run(definition, arn_prefix, services)
    return test.build_answer()


def _read_state(params: Params) -> tuple[str, Params, str | None]:
    """Name, body and query language of the state; the definition may be a whole state machine."""
    try:
        given = json.loads(params["definition"])
    except ValueError as error:
        raise AwsError(
            "InvalidDefinition", f"Invalid State Machine Definition: '{error}'"
        ) from error
    if "States" not in given:
        return params.get("stateName", _ALONE), given, given.get("QueryLanguage")
    name = str(params.get("stateName"))
    if name not in given["States"]:
        raise AwsError("ValidationException", f"State '{name}' is not in the definition.")
    return name, given["States"][name], given.get("QueryLanguage")


def _check_params(params: Params, state: Params) -> None:
    waits = str(state.get("Resource", "")).endswith((".sync", ".sync:2", ".waitForTaskToken"))
    if "mock" not in params and (waits or state.get("Type") in ("Map", "Parallel")):
        raise AwsError("ValidationException", "A mock is required to test this state.")
    if state.get("Type") == "Task" and "mock" not in params and "roleArn" not in params:
        raise AwsError("ValidationException", "A Task state needs a roleArn or a mock.")
    try:
        json.loads(params.get("input") or "{}")
    except (ValueError, RecursionError) as error:
        raise AwsError("InvalidExecutionInput", f"Invalid Input: '{error}'") from error


def _build_machine(name: str, state: Params, language: str | None) -> Params:
    # TestState answers RETRIABLE at once instead of waiting for the next attempt.
    alone = {key: value for key, value in state.items() if key != "Retry"}
    # The definition is valid only with the states that this one names; the stubs end at once.
    stubs = {target: {"Type": "Succeed"} for target in _list_targets(state) if target != name}
    # A state that follows itself would never end.
    if alone.get("Next") == name:
        alone = {**{k: v for k, v in alone.items() if k != "Next"}, "End": True}
    machine: Params = {"StartAt": name, "States": {name: alone, **stubs}}
    return machine | ({"QueryLanguage": language} if language else {})


def _list_targets(state: Mapping[str, Any]) -> Iterator[str]:
    for rule in (state, *state.get("Choices", []), *state.get("Catch", [])):
        yield from (rule[field] for field in ("Next", "Default") if field in rule)


class _Test:
    """One test of one state.

    Args:
        name: Its name.
        state: Its definition.
        params: The input of the operation.
    """

    def __init__(self, name: str, state: Params, params: Params) -> None:
        self._name = name
        self._state = state
        self._params = params
        self._history: list[Params] = []
        self._endings: list[Ending] = []
        self._inspected: dict[str, Params] = {}
        self._variables: Params = {}

    def run(self, definition: str, arn_prefix: str, services: Services) -> None:
        """Run the state to its end."""
        params, text = self._params, self._params.get("input") or "{}"
        job = ExecutionRequest(
            execution_arn=f"{arn_prefix}:execution:testState:{self._name}",
            name="testState",
            machine_arn=f"{arn_prefix}:stateMachine:testState",
            machine_name="testState",
            machine_type="STANDARD",
            role_arn=params.get("roleArn", ""),
            definition=definition,
            input=text,
            started=now(),
            first_event={
                "type": "ExecutionStarted",
                "details": {"executionStartedEventDetails": {"input": text}},
            },
            last_event_id=0,
            variables=json.loads(params.get("variables") or "{}"),
            context=json.loads(params.get("context") or "{}"),
            mocks={self._name: _read_mock(params["mock"])} if "mock" in params else {},
            inspected=self._inspected,
        )
        run = Run(job, services, Tokens(), self._history.append, self._endings.append)
        run.start()
        if not run.wait(_SECONDS):
            run.stop("States.Timeout", "The test took longer than five minutes.")
        self._variables = run.variables

    def build_answer(self) -> Params:
        """Return the answer: status, output or error, and what the inspection level asks for."""
        out, details = self._build_result()
        level = self._params.get("inspectionLevel", "INFO")
        data: Params = {"errorDetails": details} if details else {}
        if level != "INFO":
            seen = {"input": json.loads(self._params.get("input") or "{}")}
            seen |= self._inspected.get(self._name, {})
            data |= {key: to_json(value) for key, value in seen.items()}
            if self._variables:
                data["variables"] = to_json(self._variables)
        return out | ({"inspectionData": data} if data else {})

    def _build_result(self) -> tuple[Params, Params]:
        """Return the answer, and the details of an error that a Retry or a Catch takes."""
        entered = [e.get("stateEnteredEventDetails") for e in self._history]
        after = [details for details in entered if details and details["name"] != self._name]
        failure = self._find_failure()
        if failure is None:
            output = after[0]["input"] if after else self._endings[0].output
            out: Params = {"status": "SUCCEEDED", "output": output}
            return out | ({"nextState": after[0]["name"]} if after else {}), {}
        out = {key: value for key, value in failure.items() if value is not None}
        rule = find_handler(self._state.get("Retry", ()), failure["error"])
        done = int(self._params.get("stateConfiguration", {}).get("retrierRetryCount", 0))
        if rule is not None and done < self._state["Retry"][rule].get("MaxAttempts", 3):
            given = self._state["Retry"][rule]
            wait = given.get("IntervalSeconds", 1) * given.get("BackoffRate", 2.0) ** done
            seconds = int(min(wait, given.get("MaxDelaySeconds", wait)))
            details = {"retryIndex": rule, "retryBackoffIntervalSeconds": seconds}
            return {**out, "status": "RETRIABLE"}, details
        if after:
            caught = {"output": after[0]["input"], "nextState": after[0]["name"]}
            index = find_handler(self._state.get("Catch", ()), failure["error"])
            return {**out, "status": "CAUGHT_ERROR", **caught}, {"catchIndex": index}
        return {**out, "status": "FAILED"}, {}

    def _find_failure(self) -> dict[str, str | None] | None:
        """Return the state's error and cause, caught or not; None where it succeeded."""
        for event in self._history:
            if event["type"].startswith("Execution"):
                continue
            for details in event.values():
                if isinstance(details, dict) and "error" in details:
                    return {"error": details["error"], "cause": details.get("cause")}
        ending = self._endings[0]
        if ending.status == "SUCCEEDED":
            return None
        return {"error": ending.error, "cause": ending.cause}


def _read_mock(mock: Params) -> Mock:
    if "errorOutput" in mock:
        given = mock["errorOutput"]
        return Mock(failure=StateFailure(given.get("error", ""), given.get("cause", "")))
    try:
        return Mock(json.loads(mock["result"]))
    except ValueError as error:
        raise AwsError("ValidationException", f"The mock's result is not JSON: {error}") from error
