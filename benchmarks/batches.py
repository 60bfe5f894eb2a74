"""Batches in the local cloud: photos a second by a distributed Map, beside single executions.

Run: ``python -m benchmarks.batches``. Starts a local cloud of its own, deploys the workflow and the
state machine of batches, and classifies the same photo under many keys: as single executions,
eight under way at a time, and as batches of eight photos at a time, in turns: other work on the
machine slows both. Bar: a batch reaches 80 % of the single executions' rate.
"""

import argparse
import json
import os
import statistics
import time

import boto3

from benchmarks.executions import KEY, busy, deploy, local_cloud, reach
from deploy import deployment
from workflow.batches import PHOTOS_AT_ONCE, BatchOptions, BatchSource, Kind, batch_input
from workflow.settings import Settings

CHILDREN = 2
BAR = 0.8
PREFIX = "images/many/"


def main() -> int:
    """Measure; return 1 where the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=400)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    with local_cloud() as line:
        reach(line)
        settings = _prepared(options.photos)
        single, batched = [], []
        for turn in range(options.turns):
            rate, _ = busy(settings, CHILDREN * PHOTOS_AT_ONCE, options.photos // 2)
            single.append(rate)
            batched.append(options.photos / _batch(settings, f"turn-{turn}"))
            print(f"single {single[-1]:.1f}/s, batch {batched[-1]:.1f}/s", flush=True)
    ratio = statistics.median(batched) / statistics.median(single)
    print(f"batch / single: {ratio:.2f}, bar {BAR}")
    return 0 if ratio >= BAR else 1


def _prepared(photos: int) -> Settings:
    settings = deploy()
    _, session = deployment.connect(os.environ)
    for event in deployment.apply(deployment.plan_batch(settings, session), settings, session):
        if type(event).__name__ == "Failed":
            raise SystemExit(str(event))
    s3 = boto3.client("s3")
    photo = s3.get_object(Bucket=settings.bucket, Key=KEY)["Body"].read()
    for number in range(photos):
        s3.put_object(Bucket=settings.bucket, Key=f"{PREFIX}{number}.png", Body=photo)
    return settings


def _batch(settings: Settings, name: str) -> float:
    """Return how many seconds a batch of all photos takes."""
    states = boto3.client("stepfunctions")
    source = BatchSource(Kind.PREFIX, settings.bucket, PREFIX)
    started = time.perf_counter()
    arn = states.start_execution(
        stateMachineArn=settings.batch_machine_arn,
        name=name,
        input=batch_input(source, BatchOptions(concurrency=CHILDREN)),
    )["executionArn"]
    while (found := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        time.sleep(0.05)
    took = time.perf_counter() - started
    (run,) = states.list_map_runs(executionArn=arn)["mapRuns"]
    counts = states.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
    if found["status"] != "SUCCEEDED" or counts["succeeded"] != counts["total"]:
        raise SystemExit(json.dumps(found, default=str))
    return took


if __name__ == "__main__":
    raise SystemExit(main())
