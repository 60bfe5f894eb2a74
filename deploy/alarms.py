"""Alarms: what wakes somebody, and the EventBridge rules that count it. Pure.

An execution that ends badly is a fault unless it was rejected or its input is to blame. Only the
end counts: an error of a function or the endpoint that a retry mended wakes nobody. Two rules on
the status changes of executions sort the ends, and CloudWatch counts what a rule matches
(``AWS/Events MatchedEvents``, EventBridge User Guide, "Monitoring Amazon EventBridge").
"""

from collections.abc import Iterable
from typing import Any

from deploy.resources import Alarm, Key, Queue, Ref, Rule, Topic
from workflow import contract
from workflow.error_rows import OUR_OWN, Blame
from workflow.settings import Settings

BAD_ENDS = ("FAILED", "TIMED_OUT", "ABORTED")
INPUT_ERRORS = tuple(name for row in OUR_OWN if row.blame is Blame.INPUT for name in row.names)
"""Errors that blame the input: only whoever started the execution can put them right."""

USUAL_INPUT_SHARE = 25
"""The per cent of an hour's executions that may fail by their input: mistyped keys happen."""
FEWEST_INPUT_ERRORS = 10
"""Fewer in an hour are no share worth waking anybody for."""
SUSTAINED = {"periods": 5, "datapoints": 3}
"""Throttling in 3 of 5 minutes: shorter than that, retries mend it, or an execution fails."""
QUEUE_AGE_DAYS = 10
"""The queue keeps messages for 14 days: four are left to start a dashboard."""


def status_changes(settings: Settings, **detail: Any) -> dict[str, Any]:  # noqa: ANN401 - pattern
    """Return the event pattern of status changes of this deployment's executions.

    Source: Step Functions Developer Guide, "Automating Step Functions event delivery".
    """
    return {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"stateMachineArn": [settings.state_machine_arn], **detail},
    }


def make_rules(settings: Settings, queue: Queue) -> tuple[Rule, Rule]:
    """Return the rules that sort what ended badly.

    They send to the queue that the rule of all status changes sends to already, because AWS does
    not document that a rule without a target is counted; its reader expects messages twice.
    """
    harmless = [contract.REJECTED, *INPUT_ERRORS]

    def rule(name: str, description: str, **detail: Any) -> Rule:  # noqa: ANN401 - pattern
        return Rule(
            name=name,
            tags=settings.tags,
            description=description,
            pattern=status_changes(settings, **detail),
            target=Ref(queue.key, "arn"),
        )

    return (
        rule(
            faults_rule(settings),
            "Executions that ended by a fault, for the alarm",
            status=list(BAD_ENDS),
            # An execution that timed out or was aborted need not have an error.
            error=[{"anything-but": harmless}, None, {"exists": False}],
        ),
        rule(
            input_rule(settings),
            "Executions that failed by their input, for the alarm",
            status=["FAILED"],
            error=list(INPUT_ERRORS),
        ),
    )


def make_alarms(settings: Settings, functions: Iterable[str]) -> tuple[Alarm, ...]:
    """Return the alarms of a deployment.

    Args:
        settings: Which deployment.
        functions: Names of the Lambda functions.
    """

    def alarm(name: str, description: str, **how: Any) -> Alarm:  # noqa: ANN401 - fields of Alarm
        topic = Ref(Key(Topic.KIND, settings.topic), "arn")
        return Alarm(name=name, tags=settings.tags, description=description, topic=topic, **how)

    return (
        alarm(
            f"{settings.prefix}-faults",
            "An execution ended by a fault: look at Failures in the dashboard.",
            metrics={"faults": _matched_events(faults_rule(settings))},
        ),
        alarm(
            f"{settings.prefix}-input-errors",
            f"More than {USUAL_INPUT_SHARE} % of an hour's executions failed by their input: "
            "look at what starts them.",
            metrics={
                "blamed": _matched_events(input_rule(settings)),
                "changes": _matched_events(settings.executions_rule),
            },
            # Each execution changes its status twice: when it starts and when it ends.
            expression=f"IF(blamed >= {FEWEST_INPUT_ERRORS}, 100 * blamed / (changes / 2), 0)",
            period_seconds=3600,
            threshold=float(USUAL_INPUT_SHARE),
        ),
        *(
            alarm(
                f"{name}-throttled",
                f"Lambda keeps throttling {name}: the account's concurrency is used up.",
                metrics={
                    "throttles": _describe_metric("AWS/Lambda", "Throttles", FunctionName=name)
                },
                **SUSTAINED,
            )
            for name in functions
        ),
        alarm(
            f"{settings.prefix}-throttled",
            "Step Functions keeps throttling: the quota of state transitions is used up.",
            metrics={
                "throttled": _describe_metric(
                    "AWS/States", "ExecutionThrottled", StateMachineArn=settings.state_machine_arn
                )
            },
            **SUSTAINED,
        ),
        alarm(
            f"{settings.prefix}-queue-age",
            f"No dashboard has read status changes for {QUEUE_AGE_DAYS} days; they are kept 14.",
            metrics={
                "age": _describe_metric(
                    "AWS/SQS", "ApproximateAgeOfOldestMessage", QueueName=settings.executions_queue
                )
            },
            statistic="Maximum",
            period_seconds=300,
            threshold=QUEUE_AGE_DAYS * 24 * 60 * 60.0,
        ),
    )


def alarm_names(settings: Settings, functions: Iterable[str]) -> tuple[str, ...]:
    """Return the names of all alarms that a deployment may have, of earlier releases too."""
    prefix = settings.prefix
    of_functions = [f"{name}-{what}" for name in functions for what in ("errors", "throttled")]
    of_workflow = (
        "endpoint-errors",
        "faults",
        "input-errors",
        "queue-age",
        "throttled",
        "timed-out",
    )
    return (*of_functions, *(f"{prefix}-{what}" for what in of_workflow))


def metric_queries(alarm: Alarm) -> list[dict[str, Any]]:
    """Return what an alarm watches, as ``Metrics`` of PutMetricAlarm and of CloudFormation."""
    queries: list[dict[str, Any]] = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": metric["namespace"],
                    "MetricName": metric["name"],
                    "Dimensions": [
                        {"Name": key, "Value": value} for key, value in metric["dimensions"].items()
                    ],
                },
                "Period": alarm.period_seconds,
                "Stat": alarm.statistic,
            },
            # One query alone may return data: it is the one that the alarm watches
            # (PutMetricAlarm).
            "ReturnData": not alarm.expression,
        }
        for name, metric in alarm.metrics.items()
    ]
    if alarm.expression:
        queries.append({"Id": "expression", "Expression": alarm.expression, "ReturnData": True})
    return queries


def faults_rule(settings: Settings) -> str:
    """Return the name of the rule that matches executions that ended by a fault."""
    return f"{settings.prefix}-faults"


def input_rule(settings: Settings) -> str:
    """Return the name of the rule that matches executions that failed by their input."""
    return f"{settings.prefix}-input-errors"


def _matched_events(rule: str) -> dict[str, Any]:
    return _describe_metric("AWS/Events", "MatchedEvents", RuleName=rule)


def _describe_metric(namespace: str, name: str, **dimensions: str) -> dict[str, Any]:
    return {"namespace": namespace, "name": name, "dimensions": dimensions}
