"""TestState: one state by itself, run as a state machine of that state and stubs of its targets."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from localcloud.errors import AwsError
from localcloud.service import now
from localcloud.states.definitions import check
from localcloud.states.engine import Ending, Job, Run
from localcloud.states.failure import Failure, handler
from localcloud.states.history import Event
from localcloud.states.services import Services
from localcloud.states.tasks import Mock
from localcloud.states.tokens import Tokens
from localcloud.wire import Params

_ALONE = "TestState"
_SECONDS = 300.0
_UNSUPPORTED = ("Map", "Parallel")


def run_test(params: Params, arn_prefix: str, services: Services) -> Params:
    """The answer to TestState.

    Args:
        params: The input of the operation.
        arn_prefix: What the ARNs of the region's executions start with.
        services: What a Task without a mock calls.

    Raises:
        AwsError: ``InvalidDefinition``, ``InvalidExecutionInput`` or ``ValidationException``.
    """
    name, state, language = _state(params)
    _check_params(params, state)
    machine = _machine(name, state, language)
    definition = json.dumps(machine)
    check(definition)
    history, ending = _run(params, name, definition, arn_prefix, services)
    out = _outcome(name, state, history, ending, params)
    level = params.get("inspectionLevel", "INFO")
    if level != "INFO":
        out["inspectionData"] = out.get("inspectionData", {}) | _inspection(name, history)
    return out


def _state(params: Params) -> tuple[str, Params, str | None]:
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
    if state.get("Type") in _UNSUPPORTED:
        raise AwsError(
            "ValidationException", f"The local cloud does not test {state['Type']} states."
        )
    if state.get("Type") == "Task" and "mock" not in params and "roleArn" not in params:
        raise AwsError("ValidationException", "A Task state needs a roleArn or a mock.")
    try:
        json.loads(params.get("input") or "{}")
    except ValueError as error:
        raise AwsError("InvalidExecutionInput", f"Invalid Input: '{error}'") from error


def _machine(name: str, state: Params, language: str | None) -> Params:
    alone = {key: value for key, value in state.items() if key != "Retry"}
    stubs = {target: {"Type": "Succeed"} for target in _targets(state) if target != name}
    if alone.get("Next") == name:
        alone = {**{k: v for k, v in alone.items() if k != "Next"}, "End": True}
    machine: Params = {"StartAt": name, "States": {name: alone, **stubs}}
    return machine | ({"QueryLanguage": language} if language else {})


def _targets(state: Mapping[str, Any]) -> Iterator[str]:
    for rule in (state, *state.get("Choices", []), *state.get("Catch", [])):
        yield from (rule[field] for field in ("Next", "Default") if field in rule)


def _run(
    params: Params, name: str, definition: str, arn_prefix: str, services: Services
) -> tuple[list[Event], Ending]:
    text = params.get("input") or "{}"
    history: list[Event] = []
    endings: list[Ending] = []
    job = Job(
        execution_arn=f"{arn_prefix}:execution:testState:{name}",
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
        mocks={name: _mock(params["mock"])} if "mock" in params else {},
    )
    run = Run(job, services, Tokens(), history.append, endings.append)
    run.start()
    if not run.wait(_SECONDS):
        run.stop("States.Timeout", "The test took longer than five minutes.")
    return history, endings[0]


def _mock(mock: Params) -> Mock:
    if "errorOutput" in mock:
        given = mock["errorOutput"]
        return Mock(failure=Failure(given.get("error", ""), given.get("cause", "")))
    try:
        return Mock(json.loads(mock["result"]))
    except ValueError as error:
        raise AwsError("ValidationException", f"The mock's result is not JSON: {error}") from error


def _outcome(
    name: str, state: Params, history: list[Event], ending: Ending, params: Params
) -> Params:
    entered = [e["stateEnteredEventDetails"] for e in history if "stateEnteredEventDetails" in e]
    after = [details for details in entered if details["name"] != name]
    failure = _failure(history, ending)
    if failure is None:
        out: Params = {"status": "SUCCEEDED", "output": ending.output}
        return out | ({"nextState": after[0]["name"]} if after else {})
    out = {key: value for key, value in failure.items() if value is not None}
    rule = handler(state.get("Retry", ()), failure["error"])
    done = int(params.get("stateConfiguration", {}).get("retrierRetryCount", 0))
    if rule is not None and done < state["Retry"][rule].get("MaxAttempts", 3):
        given = state["Retry"][rule]
        wait = given.get("IntervalSeconds", 1) * given.get("BackoffRate", 2.0) ** done
        seconds = int(min(wait, given.get("MaxDelaySeconds", wait)))
        details = {"retryIndex": rule, "retryBackoffIntervalSeconds": seconds}
        return {**out, "status": "RETRIABLE", "inspectionData": {"errorDetails": details}}
    if after:
        caught = {"output": after[0]["input"], "nextState": after[0]["name"]}
        return {**out, "status": "CAUGHT_ERROR", **caught}
    return {**out, "status": "FAILED"}


def _failure(history: list[Event], ending: Ending) -> dict[str, str | None] | None:
    """Error and cause of the state, whether or not it was caught; None where it succeeded."""
    for event in history:
        for key in ("taskFailedEventDetails", "lambdaFunctionFailedEventDetails"):
            if key in event:
                return {"error": event[key].get("error"), "cause": event[key].get("cause")}
    if ending.status == "SUCCEEDED":
        return None
    return {"error": ending.error, "cause": ending.cause}


def _inspection(name: str, history: list[Event]) -> Params:
    """What the history shows of the state's data."""
    found: Params = {}
    for event in history:
        entered = event.get("stateEnteredEventDetails")
        if entered and entered["name"] == name:
            found["input"] = entered["input"]
        for key in ("taskScheduledEventDetails", "lambdaFunctionScheduledEventDetails"):
            if key in event:
                found["afterParameters"] = event[key].get("parameters", event[key].get("input"))
        for key in ("taskSucceededEventDetails", "lambdaFunctionSucceededEventDetails"):
            if key in event:
                found["result"] = event[key]["output"]
        exited = event.get("stateExitedEventDetails")
        if exited and exited["name"] == name:
            found["afterResultPath"] = exited["output"]
    return found
