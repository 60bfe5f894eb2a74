"""Interpreter: runs the states of a definition one after another and records what happens."""

import datetime as dt
import random
import time
from typing import Any

from localcloud.states import fanout, tasks
from localcloud.states.failure import StateFailure, find_handler
from localcloud.states.fields import Fields
from localcloud.states.history import Flow, payload_details
from localcloud.states.progress import ExecutionProgress
from localcloud.states.steps import Machine, State, Step, World
from localcloud.states.waiting import seconds_to_wait
from workflow.asl import comparisons, queries
from workflow.asl.data import json_size, to_json
from workflow.asl.failures import LanguageError, QueryError

# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
_DATA_LIMIT = 262_144
_REPEATED = ("Task", "Map", "Parallel")


class Interpreter:
    """Runs machines: the execution's, and those of its branches and iterations."""

    def __init__(self, world: World) -> None:
        self.world = world

    def run(
        self,
        machine: Machine,
        flow: Flow,
        data: Any,  # noqa: ANN401 - any JSON value
        before: ExecutionProgress | None = None,
    ) -> Any:  # noqa: ANN401 - any JSON value
        """Run a machine from its start to its end.

        Args:
            machine: StartAt and States.
            flow: The flow to run in.
            data: The input.
            before: How far it came before a redrive; it goes on from there.

        Returns:
            The output.

        Raises:
            Failure: A state failed and nothing took its error.
            Stopped: The flow was stopped.
            HistoryFull: The history has no room.
        """
        name: str | None = machine["StartAt"]
        if before is not None and before.state:
            # A copy: the kept progress must stay as it was in case this redrive fails too.
            name, data, flow.variables = before.state, before.input, dict(before.variables)
        while name is not None:
            data, name = self._run_state(name, machine["States"][name], flow, data, before)
            # Only the first state continues; those after it start from nothing.
            before = None
        return data

    def _run_state(
        self,
        name: str,
        state: State,
        flow: Flow,
        data: Any,  # noqa: ANN401 - any JSON value
        before: ExecutionProgress | None,
    ) -> tuple[Any, str | None]:
        """Run one state; return its output and the name of the next state, None at the end."""
        flow.progress.enter_state(name, data, flow.variables)
        kind = state["Type"]
        details = {"name": name, **payload_details("input", to_json(data))}
        flow.running = kind
        if before is not None and before.entered > 0:
            # AWS does not enter a Task, Map or Parallel state again in a redrive (see
            # ``progress``).
            entered, flow.previous = before.entered, before.previous
        else:
            entered = flow.record(f"{kind}StateEntered", {"stateEnteredEventDetails": details})
        if kind in _REPEATED:
            flow.progress.entered, flow.progress.previous = entered, flow.previous
        seen: dict[str, Any] = {"EnteredTime": _format_time(time.time()), "Name": name}
        if kind in _REPEATED:
            seen["RetryCount"] = 0
        flow.context["State"] = seen
        jsonata = state.get("QueryLanguage", self.world.language) == "JSONata"
        fields = Fields(state, data, flow.context, flow.variables, jsonata)
        if self.world.inspected is not None:
            self.world.inspected[name] = fields.seen
        step = Step(name, state, flow, fields, entered, before)
        output, assigned, following = self._run_attempts(step)
        _check_size(output, name)
        flow.running = ""
        left = {"name": name, **payload_details("output", to_json(output))}
        if assigned:
            left["assignedVariables"] = {key: to_json(value) for key, value in assigned.items()}
            left["assignedVariablesDetails"] = {"truncated": False}
            flow.variables = {**flow.variables, **assigned}
        flow.record(f"{kind}StateExited", {"stateExitedEventDetails": left})
        return output, following

    def _run_attempts(self, step: Step) -> tuple[Any, dict[str, Any], str | None]:
        """Return output, assigned variables and next state, after all attempts of Retry."""
        retried: dict[int, int] = {}
        while True:
            try:
                return self._run_attempt(step)
            except (LanguageError, StateFailure) as raised:
                failure = self._convert_failure(step, raised)
            # Retry comes before Catch:
            # https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
            rule = find_handler(step.state.get("Retry", ()), failure.error)
            if rule is not None and _wait_for_retry(step, rule, retried):
                continue
            # AWS records this event when inner flows failed, but not when a path of the state
            # itself did.
            if step.kind in ("Map", "Parallel") and not (
                failure.own and failure.error == "States.Runtime"
            ):
                details = {"error": failure.error, "cause": failure.cause}
                key = f"{step.kind[0].lower()}{step.kind[1:]}StateFailedEventDetails"
                step.flow.record(f"{step.kind}StateFailed", {key: details})
            rule = find_handler(step.state.get("Catch", ()), failure.error)
            if rule is None:
                raise failure
            catcher = step.state["Catch"][rule]
            try:
                output, assigned = step.fields.catch_output(catcher, failure.output)
            except LanguageError as raised:
                raise self._convert_failure(step, raised) from None
            return output, assigned, catcher["Next"]

    def _convert_failure(self, step: Step, raised: LanguageError | StateFailure) -> StateFailure:
        """Return a failure with AWS's cause; record EvaluationFailed where JSONata failed."""
        if isinstance(raised, StateFailure):
            return raised
        cause = (
            f"An error occurred while executing the state '{step.name}' (entered at the event id "
            f"#{step.entered}). {raised.detail}"
        )
        if isinstance(raised, QueryError):
            details = {
                "error": raised.error,
                "cause": cause,
                "location": raised.location,
                "state": step.name,
            }
            step.flow.record("EvaluationFailed", {"evaluationFailedEventDetails": details})
        return StateFailure(raised.error, cause, own=True)

    def _run_attempt(self, step: Step) -> tuple[Any, dict[str, Any], str | None]:
        fields, state = step.fields, step.state
        given = fields.apply_input_path()
        following = state.get("Next")
        if step.kind == "Choice":
            return self._follow_choice(step, given)
        if step.kind == "Fail":
            raise StateFailure(fields.read_text("Error"), fields.read_text("Cause"))
        if step.kind in ("Wait", "Succeed"):
            if step.kind == "Wait":
                step.flow.sleep(seconds_to_wait(fields, given, time.time()))
            return *fields.build_output(given, selects=False), following
        if step.kind == "Pass":
            made = fields.build_arguments(given)
            result = state.get("Result", made)
        elif step.kind == "Task":
            result = tasks.run_task(self.world, step, given)
        elif step.kind == "Parallel":
            data = fields.build_arguments(given)
            mocked = tasks.find_mock(self.world, step)
            result = mocked.result if mocked else fanout.run_branches(self, step, data)
        else:
            mocked = tasks.find_mock(self.world, step)
            result = mocked.result if mocked else fanout.run_map(self, step, given)
        return *fields.build_output(result), following

    def _follow_choice(self, step: Step, given: Any) -> tuple[Any, dict[str, Any], str | None]:  # noqa: ANN401
        for index, rule in enumerate(step.state["Choices"]):
            if self._rule_holds(step, rule, index, given):
                return *step.fields.choice_output(rule, given), rule["Next"]
        if "Default" in step.state:
            return *step.fields.choice_output(step.state, given), step.state["Default"]
        raise LanguageError(
            "States.NoChoiceMatched",
            "Failed to transition out of the state. The state does not point to a next state.",
        )

    def _rule_holds(self, step: Step, rule: State, index: int, given: Any) -> bool:  # noqa: ANN401
        if not step.fields.jsonata:
            return comparisons.is_met(rule, step.fields.build_scope(given))
        text = queries.expression_of(rule["Condition"])
        if text is None:
            return rule["Condition"] is True
        where = f"Choices[{index}]/Condition"
        value = queries.evaluate(text, step.fields.build_scope(given), where)
        return bool(queries.expect_type(value, "boolean", text, where))


def _wait_for_retry(step: Step, rule: int, retried: dict[int, int]) -> bool:
    """Wait for the next attempt, where a Retry rule has one left."""
    given = step.state["Retry"][rule]
    done = retried.get(rule, 0)
    if done >= given.get("MaxAttempts", 3):
        return False
    delay = given.get("IntervalSeconds", 1) * given.get("BackoffRate", 2.0) ** done
    delay = min(delay, given.get("MaxDelaySeconds", delay))
    if given.get("JitterStrategy") == "FULL":
        delay = random.uniform(0, delay)  # noqa: S311 - jitter, no secret
    # Each retrier counts its own attempts; the context object has their sum.
    retried[rule] = done + 1
    step.flow.context["State"]["RetryCount"] = sum(retried.values())
    step.flow.sleep(delay)
    return True


def _check_size(output: Any, name: str) -> None:  # noqa: ANN401 - any JSON value
    if json_size(output) > _DATA_LIMIT:
        raise StateFailure(
            "States.DataLimitExceeded",
            f"The state/task '{name}' returned a result with a size exceeding the maximum number "
            "of bytes service limit.",
        )


def _format_time(seconds: float) -> str:
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
