"""A deployed workflow after a bad night: good runs, missing images, and a file that is no image."""

import io
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.configloader import load_config
from PIL import Image, ImageDraw

from tests.journeys.browser import App, running_app

GOOD = 6
MISSING = 8
DRAWN = "images/drawn.png"
SECONDS = 120
"""A loaded machine is slow, not wrong."""


class Trouble:
    """The app, and what its cloud was sent."""

    def __init__(self, app: App) -> None:
        self.app = app
        environ = app.aws_environ
        keys = load_config(environ["AWS_SHARED_CREDENTIALS_FILE"])["profiles"]["default"]
        session = boto3.Session(**keys, region_name="us-east-1")
        url = environ["AWS_ENDPOINT_URL"]
        self.s3: Any = session.client("s3", endpoint_url=url)
        self.states: Any = session.client("stepfunctions", endpoint_url=url)
        machines = self.states.list_state_machines()["stateMachines"]
        self.machine = machines[0]["stateMachineArn"]
        self.bucket = self.s3.list_buckets()["Buckets"][0]["Name"]

    def send(self) -> None:
        """Start every execution, and wait until all have ended: a journey may mend what failed."""
        self.put(DRAWN)
        self.s3.put_object(Bucket=self.bucket, Key="images/junk.png", Body=b"no image at all")
        for _ in range(GOOD):
            self.start(DRAWN)
        for number in range(MISSING):
            self.start(f"images/missing-{number}.png")
        self.start("images/junk.png")
        deadline = time.monotonic() + SECONDS
        running = {"stateMachineArn": self.machine, "statusFilter": "RUNNING"}
        while self.states.list_executions(**running)["executions"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def put(self, key: str) -> None:
        """Put an image there."""
        picture = Image.new("RGB", (64, 64), "white")
        ImageDraw.Draw(picture).ellipse((8, 24, 32, 48), outline="black", width=3)
        data = io.BytesIO()
        picture.save(data, "PNG")
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=data.getvalue())

    def start(self, key: str) -> str:
        """Start one execution; its ARN."""
        given = {"s3_bucket": self.bucket, "s3_key": key, "image_data": "", "inferences": []}
        answer = self.states.start_execution(
            stateMachineArn=f"{self.machine}:live",
            name=f"night-{uuid.uuid4().hex[:12]}",
            input=json.dumps(given),
        )
        return str(answer["executionArn"])

    def redrives(self) -> list[int]:
        """How often each of the failed executions has been redriven."""
        listed = self.states.list_executions(stateMachineArn=self.machine, maxResults=1000)
        return [one.get("redriveCount", 0) for one in listed["executions"]]


def troubled(directory: Path) -> Iterator[Trouble]:
    """Start the app, deploy, and let the bad night happen."""
    for app in running_app(directory, deployed=True, aws_like=False):
        trouble = Trouble(app)
        trouble.send()
        yield trouble
