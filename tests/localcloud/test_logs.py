"""CloudWatch Logs of the local cloud, through boto3."""

import time

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.cloud


@pytest.fixture
def logs(local_cloud):
    return local_cloud.client("logs")


@pytest.fixture
def group(logs, build):
    name = build.unique("group")
    logs.create_log_group(logGroupName=name, tags={"stage": "dev"})
    return name


def put(logs, group, stream, *messages):
    now = int(time.time() * 1000)
    events = [{"timestamp": now + n, "message": m} for n, m in enumerate(messages)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_a_group_keeps_its_retention_and_tags(logs, group):
    logs.put_retention_policy(logGroupName=group, retentionInDays=30)
    (found,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert found["retentionInDays"] == 30
    logs.delete_retention_policy(logGroupName=group)
    (found,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert "retentionInDays" not in found
    arn = found["logGroupArn"]
    logs.tag_resource(resourceArn=arn, tags={"more": "1"})
    logs.untag_resource(resourceArn=arn, tagKeys=["stage"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"more": "1"}
    assert logs.list_tags_log_group(logGroupName=group)["tags"] == {"more": "1"}
    with pytest.raises(ClientError, match="no retention"):
        logs.put_retention_policy(logGroupName=group, retentionInDays=31)
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group)


def test_events_are_found_by_terms_streams_and_time(logs, group):
    for stream in ("one", "two"):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    put(logs, group, "one", "[ERROR] it broke", "all is well")
    put(logs, group, "two", "[ERROR] again, but known")

    def messages(**options):
        found = logs.filter_log_events(logGroupName=group, **options)["events"]
        return {event["message"] for event in found}

    assert messages(filterPattern='"[ERROR]" -known') == {"[ERROR] it broke"}
    assert messages(logStreamNames=["two"]) == {"[ERROR] again, but known"}
    assert messages(logStreamNamePrefix="o", filterPattern="well") == {"all is well"}
    assert messages(endTime=1) == set()
    first = logs.filter_log_events(logGroupName=group, limit=2)
    rest = logs.filter_log_events(logGroupName=group, limit=2, nextToken=first["nextToken"])
    assert len(first["events"]) + len(rest["events"]) == 3


def test_a_stream_is_read_in_pages(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    put(logs, group, "s", "a", "b", "c")
    given = {"logGroupName": group, "logStreamName": "s", "limit": 2, "startFromHead": True}
    first = logs.get_log_events(**given)
    assert [event["message"] for event in first["events"]] == ["a", "b"]
    second = logs.get_log_events(**given, nextToken=first["nextForwardToken"])
    assert [event["message"] for event in second["events"]] == ["c"]
    (stream,) = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime")["logStreams"]
    assert stream["lastEventTimestamp"] >= stream["firstEventTimestamp"]
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName=group, logStreamName="s")
    for call in (logs.get_log_events, lambda **k: put(logs, k["logGroupName"], "none", "x")):
        with pytest.raises(logs.exceptions.ResourceNotFoundException):
            call(logGroupName=group, logStreamName="none")


def test_a_deleted_group_is_gone_with_its_events(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    put(logs, group, "s", "a")
    logs.delete_log_group(logGroupName=group)
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.filter_log_events(logGroupName=group)
    logs.create_log_group(logGroupName=group)
    assert logs.filter_log_events(logGroupName=group)["events"] == []


def test_the_tail_of_a_stream_comes_first_unless_the_head_is_asked_for(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    put(logs, group, "s", "a", "b", "c")
    given = {"logGroupName": group, "logStreamName": "s", "limit": 2}

    def read(**options):
        found = logs.get_log_events(**given, **options)
        return [event["message"] for event in found["events"]], found

    shown, last = read()
    assert shown == ["b", "c"]
    shown, first = read(nextToken=last["nextBackwardToken"])
    assert shown == ["a"]
    assert read(nextToken=first["nextBackwardToken"])[0] == []
    assert read(nextToken=last["nextForwardToken"])[0] == []
    assert read(startFromHead=True)[0] == ["a", "b"]
    with pytest.raises(logs.exceptions.InvalidParameterException):
        read(nextToken="mine")


def test_events_are_found_by_what_is_in_their_json(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    put(logs, group, "s", '{"level": "ERROR", "n": 1}', '{"level": "INFO", "n": 2}', "n 1")

    def found(pattern):
        events = logs.filter_log_events(logGroupName=group, filterPattern=pattern)["events"]
        return [event["message"] for event in events]

    assert found("{ $.level = ERROR || $.n > 1 }") == [
        '{"level": "ERROR", "n": 1}',
        '{"level": "INFO", "n": 2}',
    ]
    assert found("?INFO ?n") == found("")
    assert found("[name, number = 1]") == ["n 1"]
    with pytest.raises(logs.exceptions.InvalidParameterException):
        found("{ $.level }")
