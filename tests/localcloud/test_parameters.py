"""Parameters: each one that botocore knows is used, or refused instead of ignored."""

import importlib
import inspect
import subprocess
import sys
from functools import cache
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from localcloud import alarms, function_settings, service
from localcloud.errors import AwsError
from localcloud.parameter_docs import MOTOS, list_refused
from localcloud.parameters import Honoured, check_parameters, load_table
from localcloud.states import executions, map_runs, state_test
from localcloud.wire import Call


def own_services(kind=service.Service):
    """The classes of services by their names: those that no other is made of."""
    below = kind.__subclasses__()
    found = [pair for one in below for pair in own_services(one).items()]
    return dict(found) if below else {kind.name: kind}


ROOT = Path(__file__).parents[2]
importlib.import_module("localcloud.services")  # has them all
OWN = own_services()
BESIDE = {
    "cloudwatch": (alarms,),
    "lambda": (function_settings,),
    "stepfunctions": (state_test, executions, map_runs),
}
"""Modules that use parameters beside that of the service."""

OPERATIONS = [(name, operation) for name in load_table() for operation in load_table()[name]]


@cache
def model(name):
    return botocore.session.get_session().get_service_model(name)


def input_shape(name, operation):
    return model(name).operation_model(operation).input_shape


def test_every_operation_with_a_handler_says_which_parameters_it_honours():
    handled = {
        name: {
            operation
            for operation in model(name).operation_names
            if hasattr(kind, xform_name(operation))
        }
        for name, kind in OWN.items()
    }
    assert {name: set(operations) for name, operations in load_table().items()} == handled
    assert {name for name, kind in OWN.items() if kind.rest_is_motos} == MOTOS.keys()


def test_the_paths_of_the_table_are_those_of_botocore():
    for name, operation in OPERATIONS:
        for path in load_table()[name][operation].paths:
            shape = input_shape(name, operation)
            for part in path.split("."):
                while shape.type_name == "list":
                    shape = shape.member
                names = getattr(shape.key, "enum", []) if shape.type_name == "map" else None
                assert part in (names or [part]), path
                shape = shape.value if shape.type_name == "map" else shape.members[part]


def test_what_is_said_to_be_used_is_read_by_the_service():
    unread = set()
    for name, operation in OPERATIONS:
        bases = {base.__module__ for base in OWN[name].__mro__} - {"builtins"}
        modules = (*(sys.modules[base] for base in bases), *BESIDE.get(name, ()))
        source = "".join(inspect.getsource(module) for module in modules)
        named = {path.partition(".")[0] for path in load_table()[name][operation].used}
        unread |= {(operation, member) for member in named if f'"{member}"' not in source}
    assert unread == set()


def sample(shape, depth=0):
    """A value of a shape that has every member."""
    if shape.type_name == "structure" and depth < 4:
        return {name: sample(member, depth + 1) for name, member in shape.members.items()}
    if shape.type_name == "list":
        return [sample(shape.member, depth)]
    if shape.type_name == "map":
        names = getattr(shape.key, "enum", None) or ["unheard-of"]
        return {name: sample(shape.value, depth + 1) for name in names}
    return "unheard-of"


def test_what_the_docs_list_is_what_is_refused():
    for name, operation in OPERATIONS:
        shape, honoured = input_shape(name, operation), load_table()[name][operation]
        if shape is None:
            continue
        listed = {path.partition(" ")[0] for path in list_refused(shape, honoured)}
        refused = set(honoured.find_refused(sample(shape)))
        assert {path.removesuffix(".unheard-of") for path in refused} == listed, operation


@pytest.mark.process
def test_the_docs_are_current():
    # In a process of its own: moto changes the models of botocore that a process has read.
    program = (
        "from localcloud.parameter_docs import PAGE, place_text\n"
        "page = PAGE.read_text(encoding='utf-8')\n"
        "assert place_text(page) == page, 'run `python -m localcloud.parameter_docs`'"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert not done.returncode, done.stderr


HONOURED = Honoured(
    used=frozenset({"Name", "Targets.Arn"}),
    kept=frozenset({"Label"}),
    idle=frozenset({"Force"}),
    only={"Bus": frozenset({"default"})},
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"Name": {"any": "thing"}, "Label": "x", "Bus": "Default", "Other": None}, []),
        ({"Force": True}, []),
        ({"Bus": "mine", "Other": 0}, ["Bus", "Other"]),
        ({"Targets": [{"Arn": "a"}, {"Arn": "b", "Path": "$"}]}, ["Targets.Path"]),
        ({"Targets": "no list"}, []),
        ({"Tar": 1, "Name2": 1}, ["Tar", "Name2"]),
    ],
)
def test_a_member_is_refused_unless_it_or_all_around_it_is_honoured(given, expected):
    assert list(HONOURED.find_refused(given)) == expected


def test_a_refusal_names_the_member_and_the_value_that_would_do():
    with pytest.raises(AwsError, match=r"EventBusName of PutRule .* default;") as caught:
        check_parameters(Call("events", "PutRule", "", {"Name": "r", "EventBusName": "mine"}))
    assert (caught.value.code, caught.value.status) == ("NotImplemented", 501)


@pytest.mark.cloud
@pytest.mark.parametrize(
    ("service_name", "method", "parameters"),
    [
        ("sqs", "create_queue", {"QueueName": "q", "Attributes": {"FifoQueue": "true"}}),
        ("sns", "create_topic", {"Name": "t", "DataProtectionPolicy": "{}"}),
        ("cloudwatch", "set_alarm_state",
         {"AlarmName": "a", "StateValue": "OK", "StateReason": "r", "StateReasonData": "{}"}),
        ("lambda", "invoke", {"FunctionName": "f", "ClientContext": "e30="}),
        ("logs", "create_log_group", {"logGroupName": "g", "kmsKeyId": "k"}),
    ],
)  # fmt: skip
def test_clients_of_every_protocol_learn_what_is_refused(
    local_cloud, service_name, method, parameters
):
    with pytest.raises(ClientError) as caught:
        getattr(local_cloud.client(service_name), method)(**parameters)
    answer = caught.value.response
    assert answer["Error"]["Code"] == "NotImplemented"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert answer["ResponseMetadata"]["RetryAttempts"] == 0
