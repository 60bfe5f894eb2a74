"""The AWS-like mode without a process: what lags, what is disturbed, what is odd."""

import itertools
import json

import botocore.session
import pytest

from localcloud.__main__ import AWS_LIKE, _parse_options
from localcloud.aws_like.account import AwsLike, Durations, new_account
from localcloud.aws_like.delivery import Delivery, OddDelivery, delivery_of
from localcloud.aws_like.disturbances import DisturbanceKind, Disturbances
from localcloud.aws_like.visibility import Empty, Visibility
from localcloud.aws_like.visibility_rules import RULES
from localcloud.errors import AwsError
from localcloud.wire import Call, Response
from workflow.quotas import Quota, bucket_of

NAMES = {"partition": "aws", "region": "us-east-1", "account": "123456789012"}
ROLE = "arn:aws:iam::123456789012:role/r"


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


def call(service, operation, **params):
    return Call(service, operation, "us-east-1", params)


def path_exists(shape, path):
    for name in path.split("."):
        while shape.type_name == "list":
            shape = shape.member
        if shape.type_name != "structure" or name not in shape.members:
            return False
        shape = shape.members[name]
    return True


def test_every_rule_names_operations_and_members_that_aws_has():
    session = botocore.session.get_session()
    for change in RULES:
        model = session.get_service_model(change.service).operation_model(change.operation)
        shape = model.input_shape if change.source == "params" else model.output_shape
        assert path_exists(shape, change.field), change
        for lag in change.lags:
            service = session.get_service_model(lag.service)
            for operation in lag.operations.split():
                if lag.listed:
                    shape = service.operation_model(operation).output_shape
                    assert path_exists(shape, lag.listed)
                    continue
                shape = service.operation_model(operation).input_shape
                assert any(path_exists(shape, field) for field in lag.fields.split()), operation


def test_every_deletion_undoes_a_change_that_there_is():
    made = {(change.service, change.operation) for change in RULES}
    undone = {(change.service, change.undoes) for change in RULES if change.undoes}
    assert undone <= made


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def visibility(clock):
    return Visibility(AwsLike(), NAMES, clock)


def test_a_role_is_refused_in_the_words_of_each_service_until_it_is_known(visibility, clock):
    create = call("lambda", "CreateFunction", FunctionName="f", Role=ROLE)
    assert visibility.check_visible(create) is None

    visibility.note_change(call("iam", "CreateRole", RoleName="r"), b"<xml/>")

    with pytest.raises(AwsError, match="cannot be assumed by Lambda"):
        visibility.check_visible(create)
    with pytest.raises(AwsError, match="NoSuchEntity: The role with name r cannot be found"):
        visibility.check_visible(call("iam", "PutRolePolicy", RoleName="r"))
    with pytest.raises(AwsError, match="Neither the global service principal"):
        visibility.check_visible(
            call("stepfunctions", "CreateStateMachine", name="m", roleArn=ROLE)
        )
    clock.seconds = 8.1
    assert visibility.check_visible(create) is None


def test_what_is_made_a_second_time_is_known_already(visibility, clock):
    rule = call("events", "PutRule", Name="r")
    visibility.note_change(rule, b"{}")
    clock.seconds = 2
    visibility.note_change(rule, b"{}")
    assert visibility.check_visible(call("events", "PutTargets", Rule="r")) is None


def test_a_name_can_be_used_again_a_while_after_it_was_deleted(visibility, clock):
    url = "http://127.0.0.1:4577/123456789012/q"
    visibility.note_change(call("sqs", "CreateQueue", QueueName="q"), b"{}")
    visibility.note_change(call("sqs", "DeleteQueue", QueueUrl=url), b"{}")
    with pytest.raises(AwsError, match="QueueDeletedRecently: You must wait 60 seconds"):
        visibility.check_visible(call("sqs", "CreateQueue", QueueName="q"))
    clock.seconds = 61
    visibility.check_visible(call("sqs", "CreateQueue", QueueName="q"))
    visibility.note_change(call("sqs", "CreateQueue", QueueName="q"), b"{}")
    with pytest.raises(AwsError, match="QueueDoesNotExist"):
        visibility.check_visible(call("sqs", "GetQueueAttributes", QueueUrl=url))


def test_a_name_that_the_answer_gives_is_waited_for(visibility):
    arn = "arn:aws:states:us-east-1:123456789012:execution:m:e"
    started = b'{"executionArn": "%s"}' % arn.encode()
    visibility.note_change(call("stepfunctions", "StartExecution", stateMachineArn="m"), started)
    with pytest.raises(AwsError, match=f"Execution Does Not Exist: '{arn}'"):
        visibility.check_visible(call("stepfunctions", "DescribeExecution", executionArn=arn))
    assert (
        visibility.check_visible(call("stepfunctions", "DescribeExecution", executionArn="x"))
        is None
    )


def test_a_new_execution_is_missing_from_the_list_first(visibility, clock):
    old, new = (f"arn:aws:states:us-east-1:123456789012:execution:m:{n}" for n in ("old", "new"))
    started = call("stepfunctions", "StartExecution", stateMachineArn="m")
    visibility.note_change(started, b'{"executionArn": "%s"}' % new.encode())
    asked = call("stepfunctions", "ListExecutions", stateMachineArn="m")
    found = {"executions": [{"executionArn": new}, {"executionArn": old}], "nextToken": "t"}
    answer = Response(200, {}, json.dumps(found).encode())

    left = json.loads(visibility.filter_listing(asked, answer).body)

    assert left == {"executions": [{"executionArn": old}], "nextToken": "t"}
    clock.seconds = 3
    assert json.loads(visibility.filter_listing(asked, answer).body) == found


def test_a_new_alarm_is_missing_from_the_list_first(visibility, clock):
    visibility.note_change(call("cloudwatch", "PutMetricAlarm", AlarmName="a"), b"")
    asked = call("cloudwatch", "DescribeAlarms", AlarmNames=["a"])
    assert visibility.check_visible(asked) == Empty({"MetricAlarms": [], "CompositeAlarms": []})
    clock.seconds = 2
    assert visibility.check_visible(asked) is None


def test_the_log_destination_is_only_named_where_there_is_one(visibility):
    visibility.note_change(call("iam", "PutRolePolicy", RoleName="r"), b"")
    plain = call("stepfunctions", "CreateStateMachine", name="m", roleArn=ROLE)
    assert visibility.check_visible(plain) is None
    logging = {"destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": "arn"}}]}
    plain.params["loggingConfiguration"] = logging
    with pytest.raises(AwsError, match="not authorized to access the Log Destination"):
        visibility.check_visible(plain)


def test_time_passes_as_fast_as_it_is_told_to(clock):
    fast = Visibility(AwsLike(speed=100), NAMES, clock)
    fast.note_change(call("iam", "CreateRole", RoleName="r"), b"")
    clock.seconds = 0.081
    assert fast.check_visible(call("lambda", "CreateFunction", FunctionName="f", Role=ROLE)) is None
    assert new_account(AwsLike(speed=60), None).durations.endpoint_creating == 1


@pytest.mark.parametrize(
    ("arguments", "environ", "speed"),
    [
        ([], {}, None),
        (["--aws-like"], {}, 1.0),
        (["--aws-like", "20"], {}, 20.0),
        ([], {AWS_LIKE: "40"}, 40.0),
        (["--aws-like", "2"], {AWS_LIKE: "40"}, 2.0),
    ],
)
def test_it_is_switched_on_by_an_option_or_a_variable(arguments, environ, speed, monkeypatch):
    monkeypatch.delenv(AWS_LIKE, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert _parse_options(arguments).aws_like == speed


@pytest.mark.parametrize("text", ["yes", "0", "-1", "nan", "inf"])
def test_a_speed_that_is_none_is_refused_in_words(text, capsys):
    with pytest.raises(SystemExit):
        _parse_options([f"--aws-like={text}"])
    assert f"'{text}' is not a number above 0, such as 1 or 20" in capsys.readouterr().err


def drawn(seed, count=2000):
    disturbances = Disturbances(AwsLike(seed=seed))
    return [disturbances.draw_next() for _ in range(count)]


def test_the_same_seed_disturbs_the_same_calls_in_the_same_way():
    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_every_kind_of_disturbance_happens_and_never_to_a_call_and_its_repetition():
    found = drawn(1)
    at = [number for number, one in enumerate(found) if one]
    assert {found[number].kind for number in at} == set(DisturbanceKind)
    assert min(b - a for a, b in itertools.pairwise(at)) >= 40


def test_a_kind_account_delivers_a_batch_in_one_file():
    kind = Delivery(Durations().capture)
    assert kind.draw_wait() == 2.0
    assert kind.split_files([1, 2, 3]) == [[1, 2, 3]]
    assert kind.build_body([b"a\n", b"b\n"]) == b"a\nb\n"


def test_odd_files_lose_no_record():
    odd = delivery_of(new_account(AwsLike(), None))
    assert isinstance(odd, OddDelivery)
    assert 60 <= odd.draw_wait() <= 180
    records = list(range(500))
    files = odd.split_files(records)
    assert [number for file in files for number in file] == records
    assert max(map(len, files)) <= 30
    lines = [b"%d\n" % number for number in range(20)]
    bodies = [odd.build_body(lines) for _ in range(200)]
    assert all(set(body.split()) == set(b"".join(lines).split()) for body in bodies)
    assert len(set(bodies)) > 3


def test_operations_that_aws_counts_together_share_a_bucket():
    assert bucket_of("lambda", "CreateFunction", "us-east-1") == bucket_of(
        "lambda", "PublishVersion", "us-east-1"
    )
    own = bucket_of("lambda", "GetFunction", "us-east-1")
    assert own is not None
    assert own.quota == Quota(100, 100)
    alias = bucket_of("stepfunctions", "DescribeStateMachineAlias", "us-east-1")
    assert alias is not None
    assert alias.quota == Quota(200, 1)
    invoke = bucket_of("lambda", "Invoke", "us-east-1")
    assert invoke is not None
    assert invoke.quota.capacity == 10_000
    assert bucket_of("athena", "StartQueryExecution", "us-east-1") is None


def test_every_operation_with_a_rate_is_one_that_aws_has():
    from workflow import quotas  # noqa: PLC0415 - its table is private

    session = botocore.session.get_session()
    for service, rates in quotas._SERVICES.items():
        known = {*session.get_service_model(service).operation_names, "*"}
        assert set(rates) <= known, service
