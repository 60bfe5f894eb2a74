"""From a workflow that somebody else made to its failures and captures, without deploying."""

import base64
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.configloader import load_config
from playwright.sync_api import Browser, Page, expect

from localcloud.credentials import Credentials
from tests.builders import capture_lines, captured, png
from tests.journeys.browser import App, fits, picture, running_app, settle

pytestmark = [pytest.mark.journey, pytest.mark.cloud]
Visit = Callable[..., Page]
BUCKET = "their-own-bucket"
MACHINE = "made-in-the-console"
CODE = """
import json, os

def handler(event, context):
    if "missing" in event["image"]["file"]:
        raise FileNotFoundError(event["image"]["file"])
    return {"statusCode": 200, "body": json.dumps({**event, "scores": {"cat": 0.9, "dog": 0.1}})}
"""


class Theirs:
    """A cloud in which somebody made a workflow by plain boto3: no alias, no tags, own names."""

    def __init__(self, app: App) -> None:
        environ = app.aws_environ
        keys = load_config(environ["AWS_SHARED_CREDENTIALS_FILE"])["profiles"]["default"]
        self.session = boto3.Session(**keys, region_name="us-east-1")
        self.url = environ["AWS_ENDPOINT_URL"]

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.url)  # type: ignore[call-overload]

    def make(self) -> None:
        """Create everything, run it, and capture."""
        iam = self.client("iam")
        role = iam.create_role(
            RoleName="theirs", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}'
        )["Role"]["Arn"]
        statement = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName="theirs", PolicyName="invoke", PolicyDocument=policy)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("app.py", CODE)
        functions = self.client("lambda")
        functions.create_function(
            FunctionName="sort-photos",
            Role=role,
            Runtime="python3.13",
            Handler="app.handler",
            Code={"ZipFile": packed.getvalue()},
            Environment={"Variables": {"MODEL_ENDPOINT": "their-endpoint", "MIN_THRESHOLD": "0.8"}},
        )
        while functions.get_function_configuration(FunctionName="sort-photos")["State"] != "Active":
            time.sleep(0.05)
        task = {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "sort-photos", "Payload.$": "$"},
            "OutputPath": "$.Payload",
            "End": True,
        }
        states = self.client("stepfunctions")
        arn = states.create_state_machine(
            name=MACHINE,
            roleArn=role,
            definition=json.dumps({"StartAt": "Predict", "States": {"Predict": task}}),
        )["stateMachineArn"]
        s3 = self.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="in/one.png", Body=png())
        for name in ("one", "missing-1", "missing-2"):
            given = {"image": {"store_bucket": BUCKET, "file": f"in/{name}.png"}}
            states.start_execution(stateMachineArn=arn, input=json.dumps(given))
        hour = f"{datetime.now(UTC):%Y/%m/%d/%H}"
        lines = capture_lines(captured(base64.b64encode(b"[0.9, 0.1]").decode(), "BASE64"))
        key = f"their/captures/their-endpoint/AllTraffic/{hour}/00-00-000-x.jsonl"
        s3.put_object(Bucket=BUCKET, Key=key, Body=lines)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[App]:
    for app in running_app(tmp_path_factory.mktemp("theirs"), aws_like=False):
        page = browser.new_page()
        page.goto(f"{app.url}/workflows")  # the first visit starts the cloud
        expect(page.get_by_text("No state machine here")).to_be_visible()
        page.close()
        Theirs(app).make()
        yield app


def test_a_workflow_of_somebody_else_is_watched_from_connect_to_captures(
    theirs: App, visit: Visit
) -> None:
    page = visit(theirs, "workflows")
    page.get_by_text("By name", exact=True).click()
    box = page.get_by_label("Name or ARN of a state machine")
    box.fill(MACHINE)
    box.press("Enter")
    page.get_by_role("button", name="Watch", exact=True).click()
    expect(page.get_by_role("heading", name=MACHINE)).to_be_visible()
    expect(page.get_by_text("variable MODEL_ENDPOINT")).to_be_visible()
    expect(page.get_by_text("variable MIN_THRESHOLD")).to_be_visible()
    settle(page)
    picture(page, "workflows")

    page.get_by_role("link", name="Failures").click()
    expect(page.get_by_role("button", name="FileNotFoundError in Predict")).to_be_visible()
    expect(page.get_by_text("2 executions")).to_be_visible()

    page.get_by_role("link", name="Deployment").click()
    expect(page.get_by_text("The state has no Retry")).to_be_visible()
    picture(page, "workflow-parts")

    page.goto(f"{theirs.url}/workflows?workflow=s3://{BUCKET}/their/captures")
    page.get_by_role("link", name="Inferences").click()
    expect(page.get_by_text("1 record").first).to_be_visible()


class Viewer:
    """A role of the same account, whose key the dashboard has."""

    ROLE = "viewer"
    ACTIONS = ("s3:ListBucket", "s3:GetObject")

    def __init__(self, theirs: App) -> None:
        made = Theirs(theirs)
        self._iam = made.client("iam")
        trust = '{"Version": "2012-10-17", "Statement": []}'
        self._iam.create_role(RoleName=self.ROLE, AssumeRolePolicyDocument=trust)
        owner = made.session.get_credentials()
        assert owner is not None
        own = Credentials(owner.access_key, owner.secret_key).of_role(self.ROLE)
        self.environ: dict[str, Any] = {
            "SCONES_CLOUD": "aws",
            "AWS_ENDPOINT_URL": made.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": own.access_key_id,
            "AWS_SECRET_ACCESS_KEY": own.secret_access_key,
        }

    def lack(self, *actions: str) -> None:
        """Allow what reading captures needs, but these actions."""
        allowed = ["s3:GetBucketLocation", *(one for one in self.ACTIONS if one not in actions)]
        statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._iam.put_role_policy(RoleName=self.ROLE, PolicyName="of", PolicyDocument=policy)


def test_a_viewer_who_lacks_one_action_after_another_is_told_which(
    theirs: App, visit: Visit, tmp_path_factory: pytest.TempPathFactory
) -> None:
    viewer = Viewer(theirs)
    viewer.lack("s3:ListBucket", "s3:GetObject")
    for app in running_app(tmp_path_factory.mktemp("viewer"), aws_like=False, **viewer.environ):
        page = visit(
            app, f"inferences?workflow=s3://{BUCKET}/their/captures&range=All", settled=False
        )
        expect(page.get_by_text("s3:ListBucket").first).to_be_visible()

        viewer.lack("s3:GetObject")
        expect(page.get_by_text("s3:GetObject").first).to_be_visible()
        expect(page.get_by_text("s3:ListBucket")).to_have_count(0)

        viewer.lack()
        expect(page.get_by_text("1 record").first).to_be_visible()


@pytest.mark.parametrize("theme", ["dark", pytest.param("light", marks=pytest.mark.nightly)])
def test_the_list_of_workflows_fits_a_phone(theirs: App, visit: Visit, theme: str) -> None:
    page = visit(theirs, "workflows", theme=theme, phone=True)
    expect(page.get_by_role("heading", name="Connect")).to_be_visible()
    settle(page)
    assert fits(page)
