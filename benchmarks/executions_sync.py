"""Sync of executions against a simulated quota: time AWS would impose, calls, and our own time.

Run: ``python -m benchmarks.executions_sync [executions]``. The clock is simulated, so the seconds
of quota are exact and the same on every machine; our own time is measured and given as a share.
The naive peer reads the history of every execution, at the same quotas.
"""

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.simulated_states import CAPACITY, MACHINE, Clock, SimulatedStates, failed_history
from dashboard.aws.executions import ExecutionReader
from dashboard.aws.quotas import Pacer
from dashboard.executions import tables
from dashboard.executions.sync import ExecutionSync
from dashboard.executions.sync_progress import SyncProgress
from dashboard.shared.store import SegmentStore
from workflow.execution_rules import ExecutionRules

FAILED_SHARE = 0.03
NEW = 1000
OUTPUT = '{"inferences": [0.98, 0.02], "label": "bicycle", "confidence": 0.98}'


def fill(aws: SimulatedStates, first: int, count: int) -> None:
    """Add executions, one a second, three in a hundred failed."""
    every = round(1 / FAILED_SHARE)
    for at in range(first, first + count):
        if at % every == 0:
            history = failed_history(image=f"images/{at}.png")
            aws.add(f"e{at:07}", started=float(at), status="FAILED", history=history)
        else:
            aws.add(f"e{at:07}", started=float(at), output=OUTPUT)


def bound(operation: str, calls: int) -> float:
    """Seconds that the quota of one operation imposes on so many calls from a rested account."""
    capacity, refill = CAPACITY[operation]
    return max(0.0, (calls - capacity) / refill)


def run(sync: ExecutionSync, clock: Clock) -> tuple[SyncProgress, float, float]:
    """Passes until every failure is known: the last progress, quota seconds, own CPU seconds."""
    quota, own = clock.seconds, time.process_time()
    while True:
        for progress in sync.run(budget_s=30):
            if progress.listed and progress.histories == progress.wanted:
                return progress, clock.seconds - quota, time.process_time() - own


def main(executions: int) -> None:
    """Print the first sync, a refresh with 1,000 new and a restart, against their bounds."""
    clock = Clock()
    aws = SimulatedStates(clock)
    fill(aws, 0, executions)
    with tempfile.TemporaryDirectory() as root:
        store = SegmentStore(Path(root), tables.TABLES)

        def sync() -> ExecutionSync:
            pacer = Pacer("us-east-1", clock=clock.monotonic, sleep=clock.sleep)
            return ExecutionSync(
                ExecutionReader(aws, pacer, MACHINE),  # type: ignore[arg-type]
                store,
                None,
                rules=ExecutionRules(threshold=0.93),
                now=clock.now,
                clock=clock.monotonic,
                at_once=1,
            )

        first = sync()
        progress, quota, own = run(first, clock)
        reads = aws.calls["ListExecutions"] + aws.calls["GetExecutionHistory"]
        naive = aws_calls_naive(executions)
        limit = max(
            bound("GetExecutionHistory", progress.wanted),
            bound("ListExecutions", executions // 1000),
        )
        print(f"first sync of {executions:,}: {progress.wanted:,} failures")
        print(f"  quota time {quota:.0f} s, bound {limit:.0f} s: ratio {quota / max(limit, 1):.2f}")
        print(f"  naive: {bound('GetExecutionHistory', executions):,.0f} s of quota")
        print(f"  calls {reads:,} against {naive:,}: {naive / reads:.1f} times fewer")
        print(f"  throttled {sum(aws.throttled.values())} times; own CPU {own:.1f} s")
        list(first.run(budget_s=10))
        clock.sleep(60)
        fill(aws, executions, NEW)
        before = aws.calls.copy()
        progress, quota, own = run(first, clock)
        print(f"refresh with {NEW:,} new: quota time {quota:.2f} s, own CPU {own:.2f} s")
        print(f"  calls {dict(aws.calls - before)}")
        list(first.run(budget_s=10))
        before = aws.calls.copy()
        started = time.process_time()
        again = sync()
        loaded = time.process_time() - started
        progress, quota, own = run(again, clock)
        print(f"restart: load {loaded:.2f} s CPU, quota time {quota:.2f} s")
        print(f"  calls {dict(aws.calls - before)}")


def aws_calls_naive(executions: int) -> int:
    """Calls of a tool that reads the history of every execution, one page each."""
    return executions // 1000 + executions


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
