"""Calls and time of a plan that finds nothing to do: ``python -m benchmarks.plan``.

The limit is one read a resource: no plan can know less and still be sure. Time is compared with
that of as many of the cheapest calls (``sts:GetCallerIdentity``), one after the other, to the same
local cloud in the same run.
"""

import collections
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from deploy import deployment
from deploy.apply import Failed
from deploy.plan import Op

ROUNDS = 5
READS = ("Get", "Describe", "List", "Head")


def main() -> None:
    """Deploy to a local cloud, then plan again and count."""
    with tempfile.TemporaryDirectory() as directory:
        cloud = subprocess.Popen(
            [sys.executable, "-m", "localcloud", "--dir", directory, "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert cloud.stdout is not None  # noqa: S101 - PIPE was asked for
            line = json.loads(cloud.stdout.readline())
            os.environ["AWS_ENDPOINT_URL"] = line["endpoint_url"]
            os.environ["AWS_SHARED_CREDENTIALS_FILE"] = line["credentials_file"]
            measure()
        finally:
            cloud.terminate()
            cloud.wait()


def measure() -> None:
    """Print calls and times of a plan against the cloud of the environment."""
    settings, session = deployment.connect(os.environ)
    plan = deployment.observe_and_plan(settings, session)
    for event in deployment.apply(plan, settings, session):
        if isinstance(event, Failed):
            raise event.error
    calls: collections.Counter[str] = collections.Counter()
    _, session = deployment.connect(os.environ)  # whose clients are made after this is registered
    session.events.register(
        "before-call",
        lambda model, **_: calls.update([f"{model.service_model.service_name}:{model.name}"]),
    )
    plan = deployment.observe_and_plan(settings, session)
    kept, total = sum(one.op is Op.KEEP for one in plan.actions), calls.total()
    counted = calls.most_common()
    writes = [call for call in calls if not call.partition(":")[2].startswith(READS)]
    took = median(lambda: deployment.observe_and_plan(settings, session))
    sts = session.client("sts")
    floor = median(lambda: [sts.get_caller_identity() for _ in range(total)])
    print(f"resources       {len(plan.actions)}, as wanted {kept}")
    print(f"calls           {total}, of which writes {len(writes)}")
    print(f"calls/resource  {total / len(plan.actions):.2f} (limit 1)")
    print(f"time            {took / floor:.2f} x that of {total} calls of GetCallerIdentity")
    for call, count in counted:
        print(f"  {count:>3} {call}")


def median(run: Callable[[], object]) -> float:
    """Median of the seconds that some runs take."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main()
