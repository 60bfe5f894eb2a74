"""Workflows of others: how many show executions, image, label and confidence without any setting.

Run: ``python -m benchmarks.watched PATH [--table]``. PATH holds ``definitions/**/*.json`` (state
machines as their owners wrote them) and ``executions/**/*.json`` (exports of the console). Each
definition is put into a local cloud of its own by plain boto3: direct ARNs, no alias, no tags, the
owner's names. Its functions are stand-ins that answer as the starter code of the original project
does, as body or as JSON text, whichever the definition expects. Three images go through it, one of
them below the threshold. Then it is watched as anybody would, by its name alone, and the listing is
compared with what went in. Ends with 1 where fewer than 90 % of the workflows show everything.
"""

import argparse
import io
import json
import os
import re
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from dashboard.aws.cloud import Connection, connect
from dashboard.aws.executions import open_reader
from dashboard.executions import tables
from dashboard.executions.sync import ExecutionSync
from dashboard.executions.tables import stored_listing
from dashboard.shared.store import SegmentStore
from dashboard.workflows.client import describe_workflow
from workflow.discovery import called_functions, fixed_image
from workflow.execution_rules import ExecutionRules, rules_of
from workflow.exports import read_export
from workflow.timelines import timeline
from workflow.watched import WatchedWorkflow, read_reference

TARGET: Final = 0.9
_ARN: Final = re.compile(r"(arn:aws:lambda:)[a-z0-9-]+:\d{12}(:function:)([A-Za-z0-9_-]+)")
_BODY_PATH: Final = re.compile(r"\.body\.\w")
_IMAGES: Final = (("bicycle", 0.97), ("motorcycle", 0.95), ("bicycle", 0.6))
_SEEN_S: Final = 60.0

# Stand-ins for a project's three functions: FORM says whether ``body`` is an object or JSON text.
_HANDLER: Final = """
import json

FORM, ROLE = {form!r}, {role}


def _flat(event):
    while True:
        if isinstance(event, str):
            event = json.loads(event)
        elif "Payload" in event:
            event = event["Payload"]
        elif "body" in event:
            event = event["body"]
        else:
            return dict(event)


def handler(event, context):
    state = _flat(event)
    if ROLE == 0:
        state = {{"image_data": "aVZCT1I=", "s3_bucket": state["s3_bucket"],
                 "s3_key": state["s3_key"], "inferences": []}}
    elif ROLE == 1:
        bicycle = "bicycle" in state["s3_key"]
        sure = 0.6 if "unsure" in state["s3_key"] else 0.97 if bicycle else 0.95
        answer = [sure, 1 - sure] if bicycle else [1 - sure, sure]
        state["inferences"] = json.dumps(answer)
    elif ROLE == 2 and max(json.loads(str(state["inferences"]))) < 0.93:
        raise Exception("THRESHOLD_CONFIDENCE_NOT_MET")
    return {{"statusCode": 200, "body": json.dumps(state) if FORM == "text" else state}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one workflow showed, of how many executions.

    Attributes:
        name: Of its project.
        executions: Executions that are listed.
        image: Those whose image is right; likewise ``label`` and ``confidence``.
        reason: Why not all are right, empty where they are.
    """

    name: str
    executions: int
    image: int
    label: int
    confidence: int
    reason: str

    @property
    def whole(self) -> bool:
        """Whether everything was shown rightly."""
        return not self.reason


def definitions(path: Path) -> Iterator[tuple[str, str]]:
    """Yield project and definition of every state machine below a folder."""
    for file in sorted((path / "definitions").rglob("*")):
        if file.suffix.lower() == ".json":
            parts = file.relative_to(path / "definitions").parts
            yield "/".join((parts[0].partition("+")[0], *parts[1:-1], file.name)), file.read_text()


def adapted(definition: str, cloud: Connection, number: int) -> str:
    """Return a definition with its functions in this account, each with a name of its own."""
    place = f"{cloud.cloud.region}:{cloud.cloud.account}"
    return _ARN.sub(
        lambda found: f"{found[1]}{place}{found[2]}{found[3][:50]}-{number}", definition
    )


def create(cloud: Connection, name: str, definition: str, role: str) -> str:
    """Create a state machine and its functions as their owner did; its ARN."""
    functions = cloud.client("lambda")
    form = "object" if _BODY_PATH.search(definition) else "text"
    for at, function in enumerate(called_functions(definition)):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("lambda_function.py", _HANDLER.format(form=form, role=at))
        functions.create_function(
            FunctionName=function,
            Role=role,
            Handler="lambda_function.handler",
            Runtime="python3.13",
            Code={"ZipFile": packed.getvalue()},
        )
        while functions.get_function_configuration(FunctionName=function)["State"] != "Active":
            time.sleep(0.02)
    machine = cloud.client("stepfunctions").create_state_machine(
        name=name, definition=definition, roleArn=role
    )
    return str(machine["stateMachineArn"])


def run(cloud: Connection, arn: str, bucket: str) -> dict[str, tuple[str, str, float]]:
    """Run the three images; image, label and confidence that each execution is to show."""
    client, expected = cloud.client("stepfunctions"), {}
    for at, (label, confidence) in enumerate(_IMAGES):
        key = f"test/{'unsure_' if confidence < TARGET else ''}{label}_s_{at:06}.png"
        given = {"image_data": "", "s3_bucket": bucket, "s3_key": key}
        started = client.start_execution(stateMachineArn=arn, input=json.dumps(given))
        expected[started["executionArn"]] = (f"s3://{bucket}/{key}", label, confidence)
    for execution in expected:
        while client.describe_execution(executionArn=execution)["status"] == "RUNNING":
            time.sleep(0.02)
    return expected


def watched_listing(cloud: Connection, workflow: WatchedWorkflow, folder: Path) -> pl.DataFrame:
    """Return the listing that the Executions page shows, once everything is read."""
    store = SegmentStore(folder, tables.TABLES)
    sync = ExecutionSync(
        open_reader(cloud.session, cloud.pacer, workflow.state_machine_arn),
        store,
        None,
        rules=rules_of(workflow),
        now=lambda: datetime.now(UTC),
    )
    deadline = time.monotonic() + _SEEN_S
    while time.monotonic() < deadline:
        progress = list(sync.run(budget_s=5))[-1]
        if progress.histories == progress.wanted and progress.examined == progress.succeeded:
            break
    return stored_listing(store.scan)


def judged(
    name: str,
    rows: pl.DataFrame,
    expected: Mapping[str, tuple[str, str, float]],
    definition: str,
) -> Result:
    """Compare a listing with what went in."""
    counts: Counter[str] = Counter()
    fixed, wrong = fixed_image(definition), ""
    for row in rows.iter_rows(named=True):
        image, label, confidence = expected[row["arn"]]
        if fixed:
            image, label, confidence = fixed, *_IMAGES[0]
        right = {
            "image": row["image"] == image,
            "label": row["label"] == label,
            "confidence": round(row["confidence"] or 0, 6) == confidence,
        }
        counts.update(name for name, holds in right.items() if holds)
        missing = ", ".join(name for name, holds in right.items() if not holds)
        if missing and not wrong:
            wrong = f"{missing}: {row['outcome']}, {row['error'] or 'no error'}"
    if rows.height < len(expected):
        wrong = f"{len(expected) - rows.height} executions are not listed"
    return Result(
        name=name,
        executions=rows.height,
        image=counts["image"],
        label=counts["label"],
        confidence=counts["confidence"],
        reason=wrong,
    )


def watch_all(path: Path) -> list[Result]:
    """Create, run and watch every definition below a folder."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        cloud = connect({**os.environ, "SCONES_CLOUD": "", "SCONES_LOCALCLOUD_DIR": folder})
        role = _role(cloud)
        bucket = "sagemaker-their-own-bucket"
        cloud.client("s3").create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": cloud.cloud.region}
        ) if cloud.cloud.region != "us-east-1" else cloud.client("s3").create_bucket(Bucket=bucket)
        for number, (name, text) in enumerate(definitions(path)):
            definition = adapted(text, cloud, number)
            arn = create(cloud, f"{name.partition('/')[0]}-{number}", definition, role)
            expected = run(cloud, arn, bucket)
            found = describe_workflow(cloud, _named(cloud, arn))
            rows = watched_listing(cloud, found, Path(folder) / f"store-{number}")
            results.append(judged(name, rows, expected, definition))
            print(f"{number + 1:3} {results[-1]}", flush=True)
    return results


def exports(path: Path) -> Iterator[tuple[str, bool, bool]]:
    """Yield project, and whether image and inference of each export are read where it has them."""
    rules = ExecutionRules(threshold=0, foreign=True)
    for file in sorted((path / "executions").rglob("*.json")):
        text = file.read_text()
        record = read_export(text)
        visits = timeline(record.events)
        image = rules.image(record.execution, visits)
        inference = rules.inference(record.execution, visits)
        has_image = re.search(r"s3_key\W+[\w-]+[./]", text) is not None
        has_inference = re.search(r"\[\W*[01]?\.\d+(e-\d+)?, ?[01]?\.?\d+", text) is not None
        name = file.relative_to(path / "executions").parts[0].partition("+")[0]
        yield name, (image is not None) == has_image, (inference is not None) == has_inference


def _named(cloud: Connection, arn: str) -> WatchedWorkflow:
    place = {"partition": "aws", "region": cloud.cloud.region, "account": cloud.cloud.account}
    return read_reference(arn, **place)


def _role(cloud: Connection) -> str:
    iam = cloud.client("iam")
    trust: Any = {"Version": "2012-10-17", "Statement": []}
    role = iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=json.dumps(trust))
    statement = {"Effect": "Allow", "Action": ["lambda:*", "s3:*"], "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    iam.put_role_policy(RoleName="theirs", PolicyName="all", PolicyDocument=json.dumps(policy))
    return str(role["Role"]["Arn"])


def table(results: list[Result], opened: list[tuple[str, bool, bool]]) -> str:
    """Return the tables of ``docs/watched.md``."""
    whole = sum(one.whole for one in results)
    lines = [
        f"{whole} of {len(results)} workflows show everything.",
        "",
        "| Workflow | Executions | Image | Label | Confidence | Why not |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {at} | {one.executions} | {one.image} | {one.label} | {one.confidence} | {one.reason} |"
        for at, one in enumerate(results, start=1)
    ]
    right = sum(image and inference for _, image, inference in opened)
    lines += ["", f"{right} of {len(opened)} exports show the image and inference they hold."]
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    path = parser.parse_args().path
    results, opened = watch_all(path), list(exports(path))
    print(table(results, opened))
    for name, image, inference in opened:
        if not (image and inference):
            print(f"export of {name}: image {image}, inference {inference}")
    share = sum(one.whole for one in results) / max(1, len(results))
    raise SystemExit(share < TARGET)


if __name__ == "__main__":
    main()
