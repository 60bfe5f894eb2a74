"""The local cloud as a process: one a directory, survives being killed, says what is wrong."""

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.error
from http.client import HTTPConnection

import pytest
from botocore.exceptions import ClientError

from tests.conftest import LocalCloud
from tests.nightly import often

pytestmark = pytest.mark.cloud

ECHO = "def handler(event, context):\n    return event\n"


class Running:
    """A local cloud of the test's own, which may be killed."""

    def __init__(self, directory, *options):
        self.directory = directory
        self.process = subprocess.Popen(
            [sys.executable, "-m", "localcloud", "--dir", str(directory), "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.line = json.loads(self.process.stdout.readline())
        url, account, region = (self.line[k] for k in ("endpoint_url", "account", "region"))
        self.cloud = LocalCloud(url, account, region, directory, self.process)
        self.endpoint_url, self.client, self.admin = url, self.cloud.client, self.cloud.admin

    def stop(self, number=signal.SIGTERM):
        for client in self.cloud.clients.values():
            client.close()
        self.process.send_signal(number)
        self.process.wait(30)
        said = self.process.communicate()[1]
        return self.process.returncode, said


@pytest.fixture
def start(tmp_path):
    running = []

    def begin(*options, directory=tmp_path / "cloud"):
        running.append(Running(directory, *options))
        return running[-1]

    yield begin
    for cloud in running:
        if cloud.process.poll() is None:
            cloud.stop(signal.SIGKILL)


def command(*options):
    return subprocess.run(
        [sys.executable, "-m", "localcloud", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_everything_survives_a_kill(start, build):
    cloud = start()
    s3, states = cloud.client("s3"), cloud.client("stepfunctions")
    s3.create_bucket(Bucket="survivor")
    s3.put_object(Bucket="survivor", Key="k", Body=b"x", Metadata={"a": "1"})
    name = build.function(cloud, ECHO)
    cloud.client("lambda").publish_version(FunctionName=name)
    machine = build.machine(
        cloud, build.one_state(Type="Wait", SecondsPath="$.s", End=True), publish=True
    )
    arn = machine["stateMachineArn"]
    routing = [{"stateMachineVersionArn": machine["stateMachineVersionArn"], "weight": 100}]
    alias = states.create_state_machine_alias(name="live", routingConfiguration=routing)
    done = build.run(cloud, arn, '{"s": 0}')
    running = states.start_execution(stateMachineArn=arn, input='{"s": 60}')["executionArn"]
    topic = cloud.client("sns").create_topic(Name="t")["TopicArn"]
    queue = cloud.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    cloud.client("sqs").send_message(QueueUrl=queue, MessageBody="still here")
    role = build.role(cloud)
    before = {
        "object": s3.head_object(Bucket="survivor", Key="k")["LastModified"],
        "function": cloud.client("lambda").get_function(FunctionName=name, Qualifier="1")[
            "Configuration"
        ],
        "role": cloud.client("iam").get_role(RoleName=role.rpartition("/")[2])["Role"],
        "history": states.get_execution_history(executionArn=done["executionArn"])["events"],
        "machine": states.describe_state_machine(stateMachineArn=arn)["creationDate"],
    }
    assert cloud.stop(signal.SIGKILL)[0] == -signal.SIGKILL

    cloud = start()
    s3, states = cloud.client("s3"), cloud.client("stepfunctions")
    assert s3.get_object(Bucket="survivor", Key="k")["Body"].read() == b"x"
    after = {
        "object": s3.head_object(Bucket="survivor", Key="k")["LastModified"],
        "function": cloud.client("lambda").get_function(FunctionName=name, Qualifier="1")[
            "Configuration"
        ],
        "role": cloud.client("iam").get_role(RoleName=role.rpartition("/")[2])["Role"],
        "history": states.get_execution_history(executionArn=done["executionArn"])["events"],
        "machine": states.describe_state_machine(stateMachineArn=arn)["creationDate"],
    }
    assert after == before
    found = states.describe_execution(executionArn=running)
    assert found["status"] == "ABORTED"
    last = states.get_execution_history(executionArn=running, reverseOrder=True)["events"][0]
    assert last["type"] == "ExecutionAborted"
    assert build.run(cloud, alias["stateMachineAliasArn"], '{"s": 0}')["status"] == "SUCCEEDED"
    assert topic in [t["TopicArn"] for t in cloud.client("sns").list_topics()["Topics"]]
    url = cloud.client("sqs").get_queue_url(QueueName="q")["QueueUrl"]
    (message,) = cloud.client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert message["Body"] == "still here"
    echoed = cloud.client("lambda").invoke(FunctionName=name, Payload=b"[1]")["Payload"].read()
    assert json.loads(echoed) == [1]
    assert cloud.stop() == (0, "")


INFERENCE = """
def model_fn(model_dir):
    return None
def input_fn(body, content_type):
    return body
def predict_fn(data, model):
    return data.decode()
def output_fn(prediction, accept):
    return prediction, "application/json"
"""


def test_no_acknowledged_inference_loses_its_capture_by_a_kill(start, build):
    cloud = start()
    name = build.endpoint(cloud, INFERENCE)
    sagemaker = cloud.client("sagemaker")
    build.wait_for(
        lambda: sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService"
    )
    sent = set()
    for kill in range(often(nightly=3, otherwise=1)):
        runtime = cloud.client("sagemaker-runtime")
        for number in range(15):
            sent.add(f"{kill}-{number}")
            runtime.invoke_endpoint(
                EndpointName=name, Body=b"1", ContentType="text/csv", InferenceId=f"{kill}-{number}"
            )
        cloud.stop(signal.SIGKILL)
        cloud = start()
    s3 = cloud.client("s3")
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=name, Prefix="data_capture/")["Contents"]]
    bodies = [s3.get_object(Bucket=name, Key=key)["Body"].read() for key in keys]
    lines = [json.loads(line) for body in bodies for line in body.splitlines()]
    assert sorted(line["eventMetadata"]["inferenceId"] for line in lines) == sorted(sent)


def test_a_second_start_finds_the_first(start):
    cloud = start()
    again = command("--dir", str(cloud.directory), "--port", "0")
    assert (again.returncode, json.loads(again.stdout)) == (0, cloud.line)
    assert json.loads((cloud.directory / "endpoint.json").read_text()) == cloud.line
    assert cloud.stop(signal.SIGINT)[0] == 0
    assert not (cloud.directory / "endpoint.json").exists()


def test_signals_in_quick_succession_end_it_once(tmp_path):
    waits = "from localcloud.__main__ import _wait_for_signal; _wait_for_signal('ready')"
    # The rest of its time it ignores them, as the interpreter would be ended by one.
    code = f"{waits}; import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            for _ in range(200):
                process.send_signal(signal.SIGTERM)
            try:
                assert process.wait(60) == 0
            finally:
                process.kill()


def test_two_starts_at_once_are_one_cloud(tmp_path):
    options = [sys.executable, "-m", "localcloud", "--dir", str(tmp_path), "--port", "0"]
    both = [subprocess.Popen(options, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    lines = [json.loads(one.stdout.readline()) for one in both if one.stdout is not None]
    assert lines[0] == lines[1]
    os.kill(lines[0]["pid"], signal.SIGTERM)
    for one in both:
        one.communicate(timeout=30)
        assert one.returncode == 0


def refused(*options):
    answer = command(*options)
    assert answer.returncode == 2
    assert answer.stdout == ""
    problem = json.loads(answer.stderr)
    assert set(problem) == {"code", "message", "remedy"}
    assert all(problem.values())
    return problem


def test_a_port_that_is_taken_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        problem = refused("--dir", str(tmp_path), "--port", str(port))
    assert problem["code"] == "PortTaken"
    assert str(port) in problem["message"]


def test_a_directory_that_cannot_be_written_is_named(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    problem = refused("--dir", str(file / "cloud"), "--port", "0")
    assert problem["code"] == "CloudNotWritable"


@pytest.fixture(scope="module")
def filled(tmp_path_factory, build):
    """The directory of a cloud with thirty roles that has ended."""
    cloud = Running(tmp_path_factory.mktemp("filled"))
    for _ in range(30):
        build.role(cloud)
    cloud.stop()
    return cloud.directory


@pytest.mark.parametrize("damage", ["head", "tables", "version"])
def test_a_directory_that_cannot_be_read_is_named_and_left_alone(filled, tmp_path, damage):
    directory = tmp_path / "cloud"
    shutil.copytree(filled, directory)
    file = directory / "cloud.db"
    if damage == "version":
        with sqlite3.connect(file) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
    else:
        data = bytearray(file.read_bytes())
        start_at, end = (0, 100) if damage == "head" else (100, len(data))
        data[start_at:end] = os.urandom(end - start_at)
        file.write_bytes(data)
    before = file.read_bytes()
    problem = refused("--dir", str(directory), "--port", "0")
    assert problem["code"] == "CloudCorrupt"
    assert "cloud.db" in problem["message"]
    assert "aside" in problem["remedy"]
    assert file.read_bytes() == before


def test_a_clock_set_back_leaves_functions_active(start, build):
    cloud = start()
    name = build.function(cloud, ECHO)
    cloud.stop()
    with sqlite3.connect(cloud.directory / "cloud.db") as db:
        (text,) = db.execute("SELECT body FROM records WHERE kind = 'lambda.function'").fetchone()
        later = {**json.loads(text), "created": 4e9, "updated": 4e9}
        db.execute("UPDATE records SET body = ? WHERE key = ?", (json.dumps(later), name))
    db.close()
    functions = start().client("lambda")
    assert functions.get_function_configuration(FunctionName=name)["State"] == "Active"
    assert functions.invoke(FunctionName=name, Payload=b"1")["Payload"].read() == b"1"


def test_quotas_throttle_when_switched_on(start, build):
    cloud = start("--quotas", "--lambda-concurrency", "10")
    limits = cloud.client("lambda").get_account_settings()["AccountLimit"]
    assert limits["ConcurrentExecutions"] == limits["UnreservedConcurrentExecutions"] == 10
    states = cloud.client("stepfunctions")
    definition = json.dumps(build.one_state(Type="Pass", End=True))
    allowed = 0

    def ask():
        return states.validate_state_machine_definition(definition=definition)

    with contextlib.suppress(states.exceptions.ClientError):
        for allowed in range(150):  # noqa: B007 - read after the loop
            ask()
    assert 100 <= allowed < 150
    with pytest.raises(ClientError, match="ThrottlingException"):
        [ask() for _ in range(20)]


def test_faults_hit_as_often_as_they_were_asked_for(start):
    cloud = start()
    fault = {"service": "stepfunctions", "operation": "ListStateMachines",
             "error": "ThrottlingException", "count": 2}  # fmt: skip
    assert cloud.admin("POST", "faults", fault)["probability"] == 1.0
    states = cloud.client("stepfunctions")
    for _ in range(2):
        with pytest.raises(ClientError, match="ThrottlingException"):
            states.list_state_machines()
    states.list_state_machines()
    assert cloud.admin("GET", "faults")["faults"][0]["count"] == 0
    assert cloud.admin("DELETE", "faults") == {"faults": []}
    cloud.admin("POST", "faults", {"service": "s3", "error": "SlowDown", "status": 503})
    with pytest.raises(ClientError, match="SlowDown"):
        cloud.client("s3").list_buckets()
    for bad in ({}, {"service": "s3"}, {"service": "s3", "error": "E", "unknown": 1}):
        with pytest.raises(urllib.error.HTTPError) as caught:
            cloud.admin("POST", "faults", bad)
        assert caught.value.code == 400
        caught.value.close()


def test_what_is_no_http_is_refused(start):
    cloud = start()
    host, port = cloud.endpoint_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"hello\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")
    connection = HTTPConnection(host, int(port))
    for _ in range(2):  # kept alive
        connection.request("GET", "/_localcloud/health")
        assert connection.getresponse().read()
    connection.close()
