"""Executions in process: their histories, their errors, their limits, and that each one ends."""

import json
import threading
import time
from collections import Counter
from typing import Any

import pytest

from localcloud.states.engine import ExecutionRequest, Run
from localcloud.states.failure import StateFailure
from localcloud.states.history import Flow, History
from localcloud.states.services import CloudServices, ServiceError
from localcloud.states.tokens import Tokens

ARN = "arn:aws:states:us-east-1:123456789012"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
PASS = {"Type": "Pass", "End": True}
SLEEP = {"Type": "Wait", "Seconds": 30, "End": True}


class Services(CloudServices):
    """Lambda answers what a test says; there is nothing else."""

    def __init__(self, answer=None):
        unused: Any = None
        super().__init__(unused, unused, unused)
        self.answer = answer or (lambda payload: payload)

    def invoke_function(self, parameters, role_arn):
        try:
            payload = self.answer(json.loads(parameters["Payload"]))
        except ValueError as error:
            told = {"errorType": "ValueError", "errorMessage": str(error)}
            return {"FunctionError": "Unhandled", "Payload": json.dumps(told).encode()}
        return {"StatusCode": 200, "Payload": json.dumps(payload).encode()}


class Runner:
    """One execution: its history and how it ended."""

    def __init__(self, states, data=None, services=None, before=None, **top):
        self.history: list[Any] = []
        self.endings: list[Any] = []
        self.tokens = Tokens()
        text = json.dumps({} if data is None else data)
        self.run = Run(
            ExecutionRequest(
                execution_arn=f"{ARN}:execution:m:e",
                name="e",
                machine_arn=f"{ARN}:stateMachine:m",
                machine_name="m",
                machine_type="STANDARD",
                role_arn="arn:aws:iam::123456789012:role/r",
                definition=json.dumps({"StartAt": next(iter(states)), "States": states, **top}),
                input=text,
                started=time.time(),
                first_event={
                    "type": "ExecutionStarted",
                    "details": {"executionStartedEventDetails": {"input": text}},
                },
                last_event_id=0,
                variables={},
                before=before,
            ),
            services or Services(),
            self.tokens,
            self.history.append,
            self.endings.append,
        )
        self.run.start()

    def end(self, seconds=30):
        assert self.run.wait(seconds), "it still runs"
        (self.ending,) = self.endings
        return self

    @property
    def types(self):
        return [event["type"] for event in self.history]

    @property
    def chain(self):
        return [(event["id"], event["previousEventId"]) for event in self.history]

    @property
    def output(self):
        assert self.ending.status == "SUCCEEDED", self.ending
        return json.loads(self.ending.output)


def ended(states, data=None, services=None, **top):
    return Runner(states, data, services, **top).end()


def machine(**states):
    return {"StartAt": next(iter(states)), "States": states}


def task(**fields):
    return {"Type": "Task", "Resource": FUNCTION, "End": True} | fields


def test_events_of_branches_follow_the_state_that_entered_them():
    run = ended({"P": {"Type": "Parallel", "Branches": [machine(A=PASS)], "End": True}})

    assert run.types[1:] == [
        "ParallelStateEntered",
        "ParallelStateStarted",
        "PassStateEntered",
        "PassStateExited",
        "ParallelStateSucceeded",
        "ParallelStateExited",
        "ExecutionSucceeded",
    ]
    assert run.chain[1:] == [(2, 0), (3, 2), (4, 2), (5, 4), (6, 5), (7, 5), (8, 7)]


def test_events_of_iterations_follow_those_of_their_worker():
    items = {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": machine(A=PASS), "End": True}

    run = ended({"M": items}, [1, 2])

    assert run.chain[1:] == [
        (2, 0), (3, 2), (4, 3), (5, 4), (6, 5), (7, 6), (8, 6), (9, 8), (10, 9), (11, 10),
        (12, 11), (13, 11), (14, 13),
    ]  # fmt: skip
    assert run.output == [1, 2]


def test_what_runs_beside_a_failure_is_aborted():
    fail = {"Type": "Fail", "Error": "Bad"}
    wait = {"Type": "Wait", "Seconds": 0, "Next": "F"}
    inner = {"Type": "Map", "ItemProcessor": machine(S=SLEEP), "End": True}
    branches = [machine(M=inner), machine(W=wait, F=fail)]

    run = ended({"P": {"Type": "Parallel", "Branches": branches, "End": True}}, [1])

    assert run.ending.error == "Bad"
    found = Counter(run.types)
    assert found["WaitStateAborted"] == found["MapIterationAborted"] == 1
    assert found["MapStateAborted"] == found["ParallelStateFailed"] == 1
    assert run.types[-1] == "ExecutionFailed"


ERRORS = {
    "States.Runtime": {"Type": "Pass", "Parameters": {"a.$": "$.no"}, "End": True},
    "States.NoChoiceMatched": {
        "Type": "Choice",
        "Choices": [{"Variable": "$.x", "StringEquals": "q", "Next": "A"}],
    },
    "States.IntrinsicFailure": {
        "Type": "Pass",
        "Parameters": {"a.$": "States.ArrayLength($.x)"},
        "End": True,
    },
    "States.ResultPathMatchFailure": {"Type": "Pass", "ResultPath": "$.x.y", "End": True},
    "States.QueryEvaluationError": {
        "Type": "Pass",
        "QueryLanguage": "JSONata",
        "Output": "{% $no %}",
        "End": True,
    },
    "States.DataLimitExceeded": {
        "Type": "Pass",
        "Result": "x" * 262_143,
        "End": True,
    },
    "States.Timeout": task(TimeoutSeconds=1),
    "Custom": {"Type": "Fail", "Error": "Custom", "Cause": "so it is"},
}


def slow(_payload):
    time.sleep(3)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("around", ["nothing", "Parallel", "Map"])
def test_an_error_keeps_its_name_and_can_be_caught(error, around):
    inner = machine(A=ERRORS[error])
    outer = {
        "Parallel": {"Type": "Parallel", "Branches": [inner]},
        "Map": {"Type": "Map", "ItemsPath": "$.l", "ItemProcessor": inner},
    }
    data = {"x": "a", "l": [{"x": "a"}]}
    states = inner["States"] if around == "nothing" else {"O": {**outer[around], "End": True}}

    # All are started before one is waited for.
    run = Runner(states, data, Services(slow))
    catching = [
        Runner({"O": {**outer[around], "Catch": [catch], "End": True}, "C": PASS}, data,
               Services(slow))
        for catch in (
            {"ErrorEquals": [error], "ResultPath": "$.e", "Next": "C"},
            {"ErrorEquals": ["States.ALL"], "Next": "C"},
        )
        if around != "nothing"
    ]  # fmt: skip
    run.end()

    assert (run.ending.status, run.ending.error) == ("FAILED", error)
    assert not any(word in str(run.ending.cause) for word in ("Error(", "Traceback", "object at"))
    if around != "nothing":
        caught, kept = (one.end() for one in catching)
        assert caught.output["e"]["Error"] == error
        terminal = error in ("States.Runtime", "States.DataLimitExceeded")
        assert kept.ending.status == ("FAILED" if terminal else "SUCCEEDED")


def test_a_function_fails_by_the_name_of_its_exception_and_is_tried_again():
    asked = []

    def answer(payload):
        asked.append(payload)
        if len(asked) < 3:
            raise ValueError("not yet")
        return {"n": len(asked)}

    retry = [{"ErrorEquals": ["ValueError"], "IntervalSeconds": 1, "MaxDelaySeconds": 2,
              "JitterStrategy": "FULL"}]  # fmt: skip

    run = ended({"T": task(Retry=retry)}, {"a": "ü"}, Services(answer))

    assert run.output == {"n": 3}
    assert asked == [{"a": "ü"}] * 3
    assert Counter(run.types)["LambdaFunctionFailed"] == 2
    failed = next(e for e in run.history if e["type"] == "LambdaFunctionFailed")
    details = failed["lambdaFunctionFailedEventDetails"]
    assert details["error"] == "ValueError"
    assert json.loads(details["cause"])["errorMessage"] == "not yet"


def test_the_context_object_holds_what_aws_documents():
    parameters = {"c.$": "$$", "retries.$": "$$.State.RetryCount"}

    found = ended({"T": task(Parameters=parameters)}, {"a": 1}).output["c"]

    assert found["Execution"].keys() == {
        "Id", "Input", "StartTime", "Name", "RoleArn", "RedriveCount",
    }  # fmt: skip
    assert found["Execution"]["Input"] == {"a": 1}
    assert found["StateMachine"] == {"Id": f"{ARN}:stateMachine:m", "Name": "m"}
    assert found["State"]["Name"] == "T"


def test_assigned_variables_are_in_the_history_and_end_with_their_branch():
    assign = {"Type": "Pass", "Assign": {"v": {"k": 1}}, "Next": "P"}
    inner = machine(A={"Type": "Pass", "Assign": {"w.$": "$v.k"}, "Next": "B"},
                    B={"Type": "Pass", "Parameters": {"w.$": "$w"}, "End": True})  # fmt: skip
    outer = {"Type": "Parallel", "Branches": [inner], "End": True}

    run = ended({"S": assign, "P": outer})

    assert run.output == [{"w": 1}]
    left = [e["stateExitedEventDetails"] for e in run.history if "stateExitedEventDetails" in e]
    assert left[0]["assignedVariables"] == {"v": '{"k":1}'}
    assert run.run.variables == {"v": {"k": 1}}


def test_a_distributed_map_tolerates_what_it_says():
    choice = {
        "Type": "Choice",
        "Choices": [{"Variable": "$", "NumericEquals": 1, "Next": "F"}],
        "Default": "S",
    }
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    processor = {
        **machine(C=choice, F={"Type": "Fail", "Error": "Bad"}, S={"Type": "Succeed"}),
        "ProcessorConfig": config,
    }
    items = {"Type": "Map", "ItemProcessor": processor, "End": True}

    fine = ended({"M": {**items, "ToleratedFailureCount": 1}}, [0, 1, 2])
    failed = ended({"M": items}, [0, 1, 2])

    assert fine.output == [0, 2]
    assert failed.ending.error == "States.ExceedToleratedFailureThreshold"
    assert failed.types[-3:] == ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]
    batches = {**items, "ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"a.$": "$[0]"}}}
    batches["ItemProcessor"] = {**machine(S={"Type": "Succeed"}), "ProcessorConfig": config}
    assert ended({"M": batches}, [7, 8, 9]).output == [
        {"BatchInput": {"a": 7}, "Items": [7, 8]},
        {"BatchInput": {"a": 7}, "Items": [9]},
    ]


def test_a_map_runs_no_more_iterations_at_once_than_it_says():
    running, most, lock = [0], [0], threading.Lock()

    def answer(payload):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.02)
        with lock:
            running[0] -= 1
        return payload

    items = {"Type": "Map", "ItemProcessor": machine(T=task()), "End": True, "MaxConcurrency": 3}

    assert ended({"M": items}, list(range(9)), Services(answer)).output == list(range(9))
    assert 1 < most[0] <= 3


def test_an_execution_ends_with_its_time():
    run = ended({"W": SLEEP}, TimeoutSeconds=1)

    assert run.ending.status == "TIMED_OUT"
    assert run.types[-1] == "ExecutionTimedOut"


def test_a_flow_is_stopped_once():
    events: list[dict[str, Any]] = []
    flow = Flow(History(events.append), 0, {}, {})
    flow.running = "Task"

    flow.stop(told=True)
    flow.stop(told=True)

    assert [event["type"] for event in events] == ["TaskStateAborted"]


def test_a_stopped_execution_ends_at_once_whatever_it_waits_for():
    run = Runner({"T": task()}, services=Services(lambda _: time.sleep(20)))
    while "LambdaFunctionStarted" not in run.types:
        time.sleep(0.01)

    run.run.stop("Mine", "enough")

    assert run.end(1).ending.error == "Mine"
    assert run.types[-1] == "ExecutionAborted"


def test_whatever_raises_ends_the_execution_with_an_error_in_its_history(caplog):
    def broken(_payload):
        raise KeyError("a fault of ours")

    run = ended({"T": task()}, services=Services(broken))

    assert (run.ending.status, run.ending.error) == ("FAILED", "States.Runtime")
    assert run.types[-1] == "ExecutionFailed"
    assert "KeyError" not in run.ending.cause
    assert "a fault of ours" in caplog.text


def test_an_endless_child_of_a_distributed_map_ends_too():
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    loop = {**machine(A={"Type": "Pass", "Next": "A"}), "ProcessorConfig": config}

    run = ended({"M": {"Type": "Map", "ItemProcessor": loop, "End": True}}, [1])

    assert run.ending.error == "States.ExceedToleratedFailureThreshold"
    assert len(run.history) < 10


def test_an_endless_loop_ends_at_the_limit_of_events():
    run = ended({"A": {"Type": "Pass", "Next": "A"}})

    assert len(run.history) == 25_000
    assert "25000" in run.ending.cause
    assert run.types[-1] == "ExecutionFailed"


@pytest.mark.parametrize("how", ["beats", "is silent", "answers", "fails"])
def test_a_task_waits_for_its_token(how):
    class Queue(Services):
        def call_service(self, service, action, parameters):
            sent.append(parameters["MessageBody"])
            return {"MessageId": "m"}

    sent: list[Any] = []
    state = task(
        Resource="arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        Parameters={"QueueUrl": "q", "MessageBody": {"t.$": "$$.Task.Token"}},
        HeartbeatSeconds=1,
        TimeoutSeconds=2,
    )
    run = Runner({"T": state}, services=Queue())
    while not sent:
        time.sleep(0.01)
    token = json.loads(sent[0])["t"]
    if how == "answers":
        assert run.tokens.succeed(token, '{"ok":true}')
        assert run.end().output == {"ok": True}
        assert "TaskSubmitted" in run.types
    elif how == "fails":
        assert run.tokens.fail(token, "Mine", "why")
        assert (run.end().ending.error, run.ending.cause) == ("Mine", "why")
    else:
        while how == "beats" and not run.run.wait(0.2):
            run.tokens.record_heartbeat(token)
        expected = "States.Timeout" if how == "beats" else "States.HeartbeatTimeout"
        assert run.end().ending.error == expected
        assert "TaskTimedOut" in run.types
    assert not run.tokens.record_heartbeat(token)


def test_a_service_that_refuses_is_named_as_step_functions_does():
    class Refusing(Services):
        def invoke_function(self, parameters, role_arn):
            raise ServiceError("Lambda.ResourceNotFoundException", "gone (Service: Lambda)")

    run = ended({"T": task()}, services=Refusing())

    assert run.ending.error == "Lambda.ResourceNotFoundException"
    assert run.ending.cause == "gone (Service: Lambda)"


def test_a_failure_without_a_name_is_passed_on_as_nothing():
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "C"}]
    states = {
        "P": {"Type": "Parallel", "Branches": [machine(F={"Type": "Fail"})], "Catch": catch,
              "End": True},
        "C": PASS,
    }  # fmt: skip

    assert ended(states).output == {"Error": "", "Cause": ""}
    assert StateFailure(None).output == {"Error": "", "Cause": ""}
