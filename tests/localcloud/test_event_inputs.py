"""What the target of a rule gets of an event."""

import pytest

from localcloud.errors import AwsError
from localcloud.event_inputs import check_target, target_input

RULE = "arn:aws:events:us-east-1:123456789012:rule/mine"
EVENT = {
    "id": "1",
    "detail-type": "State-change",
    "source": "aws.ec2",
    "time": "2026-11-26T21:29:54Z",
    "resources": ["arn:1", "arn:2"],
    "detail": {"instance-id": "i-1", "state": 'RUN"NING', "tags": {"a": "b"}, "n": 3},
}
PATHS = {
    "instance": "$.detail.instance-id",
    "state": "$.detail.state",
    "tags": "$.detail.tags",
    "all": "$.resources",
    "first": "$.resources[0]",
    "n": "$.detail.n",
    "none": "$.detail.none",
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('"instance <instance> of <first>"', '"instance i-1 of arn:1"'),
        ("plain <instance>, n <n>\nand <none>.", "plain i-1, n 3\nand ."),
        ('{"i": <instance>, "n": <n>}', '{"i": "i-1", "n": 3}'),
        ('{"text": "<instance> is <state>"}', '{"text": "i-1 is RUN\\"NING"}'),
        ('{"tags": <tags>, "l": <all>}', '{"tags": {"a":"b"}, "l": ["arn:1","arn:2"]}'),
        ('{"text": "tags <tags>"}', '{"text": "tags {a:b}"}'),
        ('{"r": "<aws.events.rule-name>"}', '{"r": "mine"}'),
        ('{"r": <aws.events.rule-arn>}', f'{{"r": "{RULE}"}}'),
        ("<unknown>", ""),
    ],
)
def test_a_template_is_filled_with_parts_of_the_event(template, expected):
    transformer = {"InputPathsMap": PATHS, "InputTemplate": template}
    assert target_input({"InputTransformer": transformer}, EVENT, RULE) == expected


def test_the_whole_event_is_a_variable_with_and_without_its_detail():
    template = "[<aws.events.event>, <aws.events.event.json>]"
    made = target_input({"InputTransformer": {"InputTemplate": template}}, EVENT, RULE)
    assert made.count('"detail":') == 1
    assert made.count('"detail-type":') == 2


def test_a_path_gives_the_part_of_the_event_as_json():
    assert target_input({"InputPath": "$.detail.tags"}, EVENT, RULE) == '{"a":"b"}'
    assert target_input({"InputPath": "$.source"}, EVENT, RULE) == '"aws.ec2"'
    assert target_input({"Input": '{"x": 1}'}, EVENT, RULE) == '{"x": 1}'
    assert '"source":"aws.ec2"' in target_input({}, EVENT, RULE)


@pytest.mark.parametrize(
    "given",
    [
        {"Input": "{}", "InputPath": "$"},
        {"InputPath": "$", "InputTransformer": {"InputTemplate": "x"}},
        {"InputPath": "detail"},
        {"Input": "no JSON"},
        {"InputTransformer": {"InputTemplate": "x", "InputPathsMap": {"a": "$["}}},
        {"InputTransformer": {"InputTemplate": "x", "InputPathsMap": {"AWS.x": "$"}}},
    ],
)
def test_a_target_that_eventbridge_refuses_is_refused(given):
    with pytest.raises(AwsError, match="ValidationException"):
        check_target({"Id": "t", **given})
