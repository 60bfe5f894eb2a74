"""Rules, queues, topics, metrics and alarms of the local cloud, through boto3."""

import datetime as dt
import json
import time
import urllib.request
import zlib
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import ClientError

from localcloud.metrics import Metrics
from localcloud.queues import Queues
from localcloud.store import Store
from workflow.errors import WorkflowError

if TYPE_CHECKING:
    from localcloud.cloud import LocalCloud
    from localcloud.wire import Call

pytestmark = pytest.mark.cloud


def receive(sqs, url, wait=10):
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait)
    return found.get("Messages", [])


def test_a_message_of_an_older_cloud_is_received_and_a_damaged_one_is_named(tmp_path):
    store = Store(tmp_path)
    try:
        kept = zlib.compress("né".encode())
        assert store.decompress_text(kept) == "né"
        with pytest.raises(WorkflowError, match="cannot read") as damaged:
            store.decompress_text(kept[:-1])
        assert damaged.value.code == "CloudCorrupt"
        settings = {"MessageRetentionPeriod": "60", "VisibilityTimeout": "30"}
        store.load_table("sqs.queue")["q"] = {"attributes": settings}
        queues = Queues(cast("LocalCloud", SimpleNamespace(store=store)))
        for number, body in enumerate(("plain", kept)):
            store.execute(
                "INSERT INTO messages VALUES (?, 'q', ?, '{}', ?, 0, NULL, 0, NULL, '{}')",
                (str(number), body, time.time() + number / 1000),
            )
        assert [message["body"] for message in queues._take_messages("q", 10, 30)] == [
            "plain",
            "né",
        ]
    finally:
        store.close()


def test_messages_past_their_retention_are_not_counted(tmp_path):
    store = Store(tmp_path)
    try:
        settings = {"MessageRetentionPeriod": "60", "VisibilityTimeout": "30"}
        store.load_table("sqs.queue")["q"] = {"attributes": settings}
        queues = Queues(cast("LocalCloud", SimpleNamespace(store=store)))
        for name, age in (("old", 90), ("new", 0)):
            store.execute(
                "INSERT INTO messages VALUES (?, 'q', '', '{}', ?, 0, NULL, 0, NULL, '{}')",
                (name, time.time() - age),
            )
        asked = {"QueueUrl": "http://127.0.0.1/1/q", "AttributeNames": ["All"]}
        counted = queues.get_queue_attributes(cast("Call", SimpleNamespace(params=asked)))
        assert counted["Attributes"]["ApproximateNumberOfMessages"] == "1"
    finally:
        store.close()


def test_a_message_is_hidden_while_it_is_worked_on_and_gone_when_deleted(local_cloud):
    sqs = local_cloud.client("sqs")
    url = sqs.create_queue(QueueName="hide", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="one")
    (first,) = receive(sqs, url)
    assert receive(sqs, url, wait=0) == []
    (again,) = receive(sqs, url, wait=5)
    assert again["MessageId"] == first["MessageId"]
    sqs.delete_message_batch(
        QueueUrl=url, Entries=[{"Id": "0", "ReceiptHandle": again["ReceiptHandle"]}]
    )
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "0"
    assert attributes["QueueArn"] == f"arn:aws:sqs:us-east-1:{local_cloud.account}:hide"


def test_a_queue_that_is_not_there_is_named_as_aws_names_it(local_cloud):
    sqs = local_cloud.client("sqs")
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="none")


def test_a_rule_sends_what_matches_to_its_queue(local_cloud):
    sqs, events = local_cloud.client("sqs"), local_cloud.client("events")
    url = sqs.create_queue(QueueName="rule-target")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{local_cloud.account}:rule-target"
    events.put_rule(Name="mine", EventPattern=json.dumps({"source": ["test.mine"]}))
    events.put_targets(Rule="mine", Targets=[{"Id": "queue", "Arn": arn}])
    for source in ("test.other", "test.mine"):
        events.put_events(Entries=[{"Source": source, "DetailType": "Test", "Detail": '{"a": 1}'}])
    (message,) = receive(sqs, url)
    assert json.loads(message["Body"])["detail"] == {"a": 1}
    with pytest.raises(ClientError):
        events.delete_rule(Name="mine")
    events.remove_targets(Rule="mine", Ids=["queue"])
    events.delete_rule(Name="mine")


def test_a_topic_reaches_its_queues_and_says_what_it_could_not_mail(local_cloud):
    sns, sqs = local_cloud.client("sns"), local_cloud.client("sqs")
    topic = sns.create_topic(Name="news", Tags=[{"Key": "a", "Value": "1"}])["TopicArn"]
    url = sqs.create_queue(QueueName="news")["QueueUrl"]
    queue = f"arn:aws:sqs:us-east-1:{local_cloud.account}:news"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    mail = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ann@example.com")
    assert mail["SubscriptionArn"] == "pending confirmation"
    sns.publish(TopicArn=topic, Message="hello", Subject="hi")
    (message,) = receive(sqs, url)
    assert json.loads(message["Body"])["Message"] == "hello"
    logged = local_cloud.client("logs").filter_log_events(logGroupName="/aws/sns/news")["events"]
    assert "ann@example.com" in logged[0]["message"]
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "a", "Value": "1"}]


def test_metrics_are_counted_by_period(local_cloud):
    cloudwatch = local_cloud.client("cloudwatch")
    moment = dt.datetime.now(dt.UTC)
    cloudwatch.put_metric_data(
        Namespace="Test",
        MetricData=[
            {"MetricName": "m", "Value": value, "Timestamp": moment} for value in (1.0, 2.0, 3.0)
        ],
    )
    window = {"StartTime": moment - dt.timedelta(hours=1), "EndTime": moment + dt.timedelta(1)}
    query = {
        "Id": "q",
        "MetricStat": {
            "Metric": {"Namespace": "Test", "MetricName": "m"},
            "Period": 60,
            "Stat": "Sum",
        },
    }
    (result,) = cloudwatch.get_metric_data(MetricDataQueries=[query], **window)["MetricDataResults"]
    assert result["Values"] == [6.0]
    assert result["Timestamps"][0] <= moment
    (point,) = cloudwatch.get_metric_statistics(
        Namespace="Test", MetricName="m", Period=60, Statistics=["Average", "Maximum"], **window
    )["Datapoints"]
    assert (point["Average"], point["Maximum"]) == (2.0, 3.0)


def test_many_metrics_are_taken_as_boto3_sends_them_compressed(local_cloud):
    cloudwatch = local_cloud.client("cloudwatch")
    moment = dt.datetime.now(dt.UTC)
    cloudwatch.put_metric_data(
        Namespace="Many",
        MetricData=[{"MetricName": f"metric-{i:0200}", "Value": 1.0} for i in range(200)],
    )
    (point,) = cloudwatch.get_metric_statistics(
        Namespace="Many",
        MetricName=f"metric-{7:0200}",
        Period=60,
        Statistics=["Sum"],
        StartTime=moment - dt.timedelta(hours=1),
        EndTime=moment + dt.timedelta(hours=1),
    )["Datapoints"]
    assert point["Sum"] == 1.0


def test_an_alarm_goes_off_and_tells_its_topic(local_cloud):
    cloudwatch, sns = local_cloud.client("cloudwatch"), local_cloud.client("sns")
    sqs = local_cloud.client("sqs")
    topic = sns.create_topic(Name="alarmed")["TopicArn"]
    url = sqs.create_queue(QueueName="alarmed")["QueueUrl"]
    queue = f"arn:aws:sqs:us-east-1:{local_cloud.account}:alarmed"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    cloudwatch.put_metric_alarm(
        AlarmName="too-many",
        Namespace="Test",
        MetricName="faults",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
        Tags=[{"Key": "stage", "Value": "dev"}],
    )
    cloudwatch.put_metric_data(Namespace="Test", MetricData=[{"MetricName": "faults", "Value": 1}])
    (message,) = receive(sqs, url)
    told = json.loads(json.loads(message["Body"])["Message"])
    assert (told["AlarmName"], told["NewStateValue"]) == ("too-many", "ALARM")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["too-many"])["MetricAlarms"]
    assert alarm["StateValue"] == "ALARM"
    items = cloudwatch.describe_alarm_history(AlarmName="too-many", HistoryItemType="StateUpdate")[
        "AlarmHistoryItems"
    ]
    assert "to ALARM" in items[0]["HistorySummary"]
    tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
    assert tags == [{"Key": "stage", "Value": "dev"}]
    cloudwatch.delete_alarms(AlarmNames=["too-many"])
    assert cloudwatch.describe_alarms(AlarmNames=["too-many"])["MetricAlarms"] == []


def test_time_passes_while_nothing_arrives(local_cloud):
    sqs = local_cloud.client("sqs")
    url = sqs.create_queue(QueueName="quiet")["QueueUrl"]
    started = time.monotonic()
    assert receive(sqs, url, wait=1) == []
    assert time.monotonic() - started >= 1


def test_the_older_query_protocol_is_understood(local_cloud):
    """The AWS CLI still speaks it to CloudWatch."""
    data = b"Action=DescribeAlarms&Version=2010-08-01&AlarmNames.member.1=none"
    request = local_cloud.signed("POST", "/", "monitoring", data)
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
        assert b"DescribeAlarmsResult" in answer.read()


def test_an_operation_that_is_missing_says_so(local_cloud):
    with pytest.raises(ClientError, match="no ListActivities"):
        local_cloud.client("stepfunctions").list_activities()


def test_settings_of_a_topic_and_its_subscriptions_are_kept(local_cloud, build):
    sns = local_cloud.client("sns")
    topic = sns.create_topic(Name=build.unique("kept"))["TopicArn"]
    sns.set_topic_attributes(
        TopicArn=topic, AttributeName="DisplayName", AttributeValue="Scones Unlimited"
    )
    arn = sns.subscribe(
        TopicArn=topic,
        Protocol="email",
        Endpoint="ann@example.com",
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    again = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ann@example.com")
    assert again["SubscriptionArn"] == "PendingConfirmation"
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert attributes["DisplayName"] == "Scones Unlimited"
    assert attributes["SubscriptionsPending"] == "1"
    sns.set_subscription_attributes(
        SubscriptionArn=arn, AttributeName="FilterPolicyScope", AttributeValue="MessageBody"
    )
    found = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert (found["FilterPolicyScope"], found["PendingConfirmation"]) == ("MessageBody", "true")
    (listed,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed["Endpoint"] == "ann@example.com"
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "a", "Value": "1"}])
    sns.untag_resource(ResourceArn=topic, TagKeys=["a"])
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == []
    sns.unsubscribe(SubscriptionArn=arn)
    assert sns.list_subscriptions()["Subscriptions"] == [
        s for s in sns.list_subscriptions()["Subscriptions"] if s["TopicArn"] != topic
    ]
    sns.delete_topic(TopicArn=topic)
    with pytest.raises(sns.exceptions.NotFoundException):
        sns.publish(TopicArn=topic, Message="nobody listens")


def test_settings_of_a_queue_are_kept(local_cloud, build):
    sqs = local_cloud.client("sqs")
    name = build.unique("kept")
    url = sqs.create_queue(QueueName=name, tags={"a": "1"})["QueueUrl"]
    assert sqs.list_queues(QueueNamePrefix=name)["QueueUrls"] == [url]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": "{}", "DelaySeconds": "1"})
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy", "DelaySeconds"])
    assert attributes["Attributes"] == {"Policy": "{}", "DelaySeconds": "1"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    sqs.tag_queue(QueueUrl=url, Tags={"b": "2"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"b": "2"}
    sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": str(n)} for n in range(3)]
    )
    found = receive(sqs, url)
    sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"], VisibilityTimeout=0
    )
    assert [m["Body"] for m in receive(sqs, url)] == [found[0]["Body"]]
    sqs.purge_queue(QueueUrl=url)
    sqs.delete_queue(QueueUrl=url)
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.send_message(QueueUrl=url, MessageBody="too late")


def test_settings_of_a_rule_are_kept_and_a_disabled_rule_rests(local_cloud, build):
    events, sqs = local_cloud.client("events"), local_cloud.client("sqs")
    name = build.unique("kept")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    tags = [{"Key": "a", "Value": "1"}]
    arn = events.put_rule(Name=name, EventPattern='{"source": ["test.rest"]}', Tags=tags)["RuleArn"]
    target = {"Id": "q", "Arn": f"arn:aws:sqs:us-east-1:{local_cloud.account}:{name}"}
    events.put_targets(Rule=name, Targets=[target])
    assert events.list_targets_by_rule(Rule=name)["Targets"] == [target]
    events.disable_rule(Name=name)
    assert events.describe_rule(Name=name)["State"] == "DISABLED"
    entry = {"Source": "test.rest", "DetailType": "t", "Detail": "{}"}
    events.put_events(Entries=[entry])
    events.enable_rule(Name=name)
    events.put_events(Entries=[{**entry, "Detail": '{"second": true}'}])
    (message,) = receive(sqs, url)
    assert json.loads(message["Body"])["detail"] == {"second": True}
    events.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}])
    events.untag_resource(ResourceARN=arn, TagKeys=["a"])
    found = events.list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert found == [{"Key": "b", "Value": "2"}]
    assert [r["Name"] for r in events.list_rules(NamePrefix=name)["Rules"]] == [name]
    for bad in ("{", "[]"):
        with pytest.raises(events.exceptions.InvalidEventPatternException):
            events.put_rule(Name=name, EventPattern=bad)


def test_attributes_of_messages_come_back_when_they_are_asked_for(local_cloud, build):
    sqs = local_cloud.client("sqs")
    url = sqs.create_queue(QueueName=build.unique("attributes"))["QueueUrl"]
    given = {
        "kind": {"DataType": "String", "StringValue": "photo"},
        "image": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}}
    sent = sqs.send_message(
        QueueUrl=url, MessageBody="m", MessageAttributes=given, MessageSystemAttributes=trace
    )
    again = {"QueueUrl": url, "VisibilityTimeout": 0}

    (plain,) = sqs.receive_message(**again)["Messages"]
    (one,) = sqs.receive_message(**again, MessageAttributeNames=["kind"])["Messages"]
    (every,) = sqs.receive_message(
        **again, MessageAttributeNames=["All"], MessageSystemAttributeNames=["AWSTraceHeader"]
    )["Messages"]

    assert "MessageAttributes" not in plain
    assert set(one["MessageAttributes"]) == {"kind"}
    assert every["MessageAttributes"]["image"]["BinaryValue"] == b"\x00\xff"
    assert every["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert every["Attributes"] == {"AWSTraceHeader": "Root=1"}
    for wrong in ({"VisibilityTimeout": 43_201}, {"VisibilityTimeout": 0, "WaitTimeSeconds": 21}):
        with pytest.raises(ClientError, match="InvalidParameterValue"):
            sqs.receive_message(QueueUrl=url, **wrong)


def test_a_queue_keeps_to_its_attributes(local_cloud, build):
    sqs = local_cloud.client("sqs")
    limits = {"MaximumMessageSize": "1024", "DelaySeconds": "60"}
    url = sqs.create_queue(QueueName=build.unique("limits"), Attributes=limits)["QueueUrl"]
    entries = [{"Id": "long", "MessageBody": "." * 1025}, {"Id": "fits", "MessageBody": "."}]
    sent = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [one["Id"] for one in sent["Successful"]] == ["fits"]
    assert [(one["Id"], one["SenderFault"]) for one in sent["Failed"]] == [("long", True)]
    sqs.send_message(QueueUrl=url, MessageBody="now", DelaySeconds=0)
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert found["ApproximateNumberOfMessages"] == "1"
    assert found["ApproximateNumberOfMessagesDelayed"] == "1"
    with pytest.raises(sqs.exceptions.InvalidAttributeValue):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "43201"})
    with pytest.raises(sqs.exceptions.InvalidAttributeName):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"QueueArn": "arn"})
    with pytest.raises(sqs.exceptions.BatchEntryIdsNotDistinct):
        sqs.send_message_batch(QueueUrl=url, Entries=[entries[1]] * 2)


def test_a_queue_deleted_while_somebody_waits_for_a_message_is_said_to_be_gone(local_cloud, build):
    sqs = local_cloud.client("sqs")
    url = sqs.create_queue(QueueName=build.unique("going"))["QueueUrl"]
    with ThreadPoolExecutor(1) as waiting:
        received = waiting.submit(receive, sqs, url, 20)
        time.sleep(0.5)  # so that it waits; received before the deletion it fails as well
        sqs.delete_queue(QueueUrl=url)
        with pytest.raises(sqs.exceptions.QueueDoesNotExist):
            received.result()


def test_a_subscription_gets_what_passes_its_filter_as_it_asks_for_it(local_cloud, build):
    sns, sqs = local_cloud.client("sns"), local_cloud.client("sqs")
    name = build.unique("filtered")
    topic = sns.create_topic(Name=name)["TopicArn"]
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    settings = {"RawMessageDelivery": "true", "FilterPolicy": '{"kind": ["photo"]}'}
    queue = f"arn:aws:sqs:us-east-1:{local_cloud.account}:{name}"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=settings)

    for kind in ("video", "photo"):
        attributes = {"kind": {"DataType": "String", "StringValue": kind}}
        bodies = json.dumps({"default": "for all", "sqs": f"a {kind}"})
        sns.publish(
            TopicArn=topic, Message=bodies, MessageStructure="json", MessageAttributes=attributes
        )

    (message,) = sqs.receive_message(
        QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )["Messages"]
    assert message["Body"] == "a photo"
    assert message["MessageAttributes"]["kind"]["StringValue"] == "photo"


def test_a_target_gets_what_it_asks_for_of_an_event(local_cloud, build):
    sqs, events = local_cloud.client("sqs"), local_cloud.client("events")
    name = build.unique("asked")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{local_cloud.account}:{name}"
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    template = {"InputPathsMap": {"a": "$.detail.a"}, "InputTemplate": '"a is <a>"'}
    events.put_targets(
        Rule=name,
        Targets=[
            {"Id": "path", "Arn": arn, "InputPath": "$.detail"},
            {"Id": "template", "Arn": arn, "InputTransformer": template},
            {"Id": "time", "Arn": arn, "InputPath": "$.time"},
        ],
    )
    entry = {"Source": name, "DetailType": "Test", "Detail": '{"a": 1}'}
    moment = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    answer = events.put_events(Entries=[{**entry, "Time": moment}, {**entry, "Detail": "no JSON"}])
    assert (answer["FailedEntryCount"], answer["Entries"][1]["ErrorCode"]) == (1, "MalformedDetail")
    bodies = {message["Body"] for message in receive(sqs, url)}
    assert bodies == {'{"a":1}', '"a is 1"', '"2026-01-02T00:00:00Z"'}


def test_metrics_of_an_older_cloud_are_read(tmp_path):
    name, dimensions, now = "Older", [{"Name": "f", "Value": "g"}], time.time()
    store = Store(tmp_path)
    store.run_script(
        "CREATE TABLE metric_data ("
        "namespace TEXT, name TEXT, dimensions TEXT, time REAL, value REAL, unit TEXT)"
    )
    rows = [(name, "m", '{"f": "g"}', now, value, "Count") for value in (1.0, 1.0, 3.0)]
    store.execute_many("INSERT INTO metric_data VALUES (?, ?, ?, ?, ?, ?)", rows)
    store.close()
    for _ in range(2):  # the second start finds nothing left to do
        store = Store(tmp_path)
        try:
            metrics, window = (
                Metrics(cast("LocalCloud", SimpleNamespace(store=store))),
                (now - 1, now + 1),
            )
            assert sorted(metrics.all_values("m", *window)) == [1.0, 1.0, 3.0]
            (found,) = metrics.values_by_period(name, "m", dimensions, window, 60).values()
            assert sorted(found) == [1.0, 1.0, 3.0]
        finally:
            store.close()


def test_metric_data_comes_in_pages_and_without_what_is_not_returned(local_cloud, build):
    cloudwatch = local_cloud.client("cloudwatch")
    name = build.unique("Paged")
    now = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
    data = [
        {"MetricName": "m", "Value": n, "Timestamp": now - dt.timedelta(minutes=n)}
        for n in range(1, 6)
    ]
    cloudwatch.put_metric_data(Namespace=name, MetricData=data)
    few = {"SampleCount": 4, "Sum": 20, "Minimum": 1, "Maximum": 9}
    cloudwatch.put_metric_data(
        Namespace=name, MetricData=[{"MetricName": "few", "StatisticValues": few}]
    )

    def query(metric, statistic, **options):
        stat = {"Metric": {"Namespace": name, "MetricName": metric}, "Period": 60}
        return {"Id": f"{metric}_{statistic.lower()}",
                "MetricStat": {**stat, "Stat": statistic}, **options}  # fmt: skip

    window = {"StartTime": now - dt.timedelta(hours=1), "EndTime": now + dt.timedelta(minutes=2)}
    given = {**window, "MaxDatapoints": 2, "ScanBy": "TimestampAscending"}
    queries = [query("m", "Sum"), query("m", "Maximum", ReturnData=False)]
    pages = cloudwatch.get_paginator("get_metric_data").paginate(MetricDataQueries=queries, **given)
    found = [result for page in pages for result in page["MetricDataResults"]]
    assert [result["Values"] for result in found] == [[5.0, 4.0], [3.0, 2.0], [1.0]]
    assert {result["Id"] for result in found} == {"m_sum"}
    statistics = ("Sum", "Minimum", "Maximum", "SampleCount")
    (point,) = cloudwatch.get_metric_statistics(
        Namespace=name, MetricName="few", Period=60, Statistics=statistics, **window
    )["Datapoints"]
    assert [point[statistic] for statistic in statistics] == [20, 1, 9, 4]
