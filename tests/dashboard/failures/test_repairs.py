"""Repairs in the background: begun once, stopped between batches, resumed by anybody."""

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from dashboard.aws.audit_log import AuditLog
from dashboard.failures import repairs
from dashboard.shared.jobs import Jobs
from dashboard.shared.permits import Permit
from tests.dashboard.failures.test_redrives import Bench
from workflow.access import Actor, Privilege, Role
from workflow.errors import WorkflowError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def desk(bench: Bench, s3: "S3Client", folder: Path) -> tuple[Permit, Any]:
    """What ``repairs`` asks of a permit and of a feed."""
    session = SimpleNamespace(client=lambda *_, **__: bench.aws)
    limit = {"AccountLimit": {"UnreservedConcurrentExecutions": 1000}}
    functions = SimpleNamespace(get_account_settings=lambda: limit)
    states = bench.repairer()._states
    executions = SimpleNamespace(states=states)
    feed = SimpleNamespace(executions=executions, repairs=bench.log, refresh=lambda: None)
    connection: Any = SimpleNamespace(session=session, client=lambda _: functions)
    log = AuditLog(s3, "", folder, now=lambda: datetime.now(UTC))
    return Permit(Actor("ana", Role.OPERATOR), Privilege.REPAIR, connection, log), feed


def test_a_repair_runs_to_its_end_and_a_second_start_waits_for_it(
    s3: "S3Client", tmp_path: Path
) -> None:
    bench = Bench(s3, 40)
    permit, feed = desk(bench, s3, tmp_path)
    plan = bench.plan()
    jobs = Jobs()
    held, release = threading.Event(), threading.Event()
    redrive = bench.aws.redrive_execution

    def slow(**request: str) -> dict[str, Any]:
        held.set()
        release.wait(30)
        return redrive(**request)

    bench.aws.redrive_execution = slow  # type: ignore[method-assign]
    job = repairs.start_repair(jobs, permit, feed, plan)
    assert held.wait(30)
    with pytest.raises(WorkflowError, match="under way"):
        repairs.resume_repair(jobs, permit, feed, bench.log.read_runs()[0])
    repairs.stop_repair(plan)
    release.set()
    assert job.wait(30)
    job.raise_failure()
    left = bench.log.read_runs()[0]
    assert 0 < len(left.pending) < 40
    again = repairs.resume_repair(jobs, permit, feed, left)
    assert again.wait(30)
    again.raise_failure()
    assert not bench.log.read_runs()[0].pending
    assert len(bench.aws.redrives) == 40
    assert set(bench.aws.redrives.values()) == {1}
    resumed, first = permit.log.read().records
    assert {one.actor for one in (resumed, first)} == {"ana"}
    assert json.loads(first.request)["redrive"] == 40
    assert json.loads(resumed.request)["redrive"] == len(left.pending)
    assert resumed.result == f'done: {{"redriven": {len(left.pending)}}}'
