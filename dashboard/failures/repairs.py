"""Bulk repairs under way in this process: started, watched, stopped and resumed by any session."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from dashboard.aws.executions import UNREPEATED
from dashboard.failures.concurrency import repairs_at_once
from dashboard.failures.feed import FailureFeed
from dashboard.failures.redrives import Repairer
from dashboard.failures.repair_plan import RepairPlan, RepairRun
from dashboard.shared.jobs import Job, Jobs
from dashboard.shared.permits import Permit
from workflow.audit import DONE

_stops: dict[str, threading.Event] = {}


def start_repair(jobs: Jobs, permit: Permit, feed: FailureFeed, plan: RepairPlan) -> Job:
    """Write a new plan to S3 and begin with it.

    Raises:
        WorkflowError: AWS's own code, where the plan cannot be written; nothing is done then.
    """
    feed.repairs.add_plan(plan)
    feed.refresh()
    return resume_repair(jobs, permit, feed, RepairRun(plan=plan, results={}))


def resume_repair(jobs: Jobs, permit: Permit, feed: FailureFeed, run: RepairRun) -> Job:
    """Work off what has no result yet.

    Raises:
        WorkflowError: ``AlreadyRunning`` while this process is at it.
    """
    # An event of its own for each run: stopping one must not stop the next.
    stop, connection = threading.Event(), permit.connection
    planned = Counter(item.action.value for item in run.pending)
    request = json.dumps({"repair": run.plan.id, "groups": run.plan.groups, **planned})

    def work(report: Callable[[object], None]) -> None:
        repairer = Repairer(
            connection.session.client("stepfunctions", config=UNREPEATED),
            feed.executions.states,
            feed.repairs,
            most=repairs_at_once(connection.client("lambda")),
            now=lambda: datetime.now(UTC),
        )
        with permit.record_action(request) as ending:
            ended: Counter[str] = Counter()
            for result in repairer.run(run, stopped=stop.is_set):
                ended[result.status.value] += 1
                report(result)
            ending.text = f"{DONE}: {json.dumps(ended)}"
        feed.refresh()

    job = jobs.start(job_key(run.plan), "Repair", work)
    _stops[run.plan.id] = stop  # only now: a refused second start must not hide the first one's
    return job


def stop_repair(plan: RepairPlan) -> None:
    """End a run of this process after the batch at hand; what is left stays pending."""
    if plan.id in _stops:
        _stops[plan.id].set()


def job_key(plan: RepairPlan) -> str:
    """Return the key of a run's job."""
    return f"repair-{plan.id}"
