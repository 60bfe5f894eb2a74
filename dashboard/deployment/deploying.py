"""Deploying: runs of ``deploy`` as the one job that changes the deployment."""

from collections.abc import Callable
from typing import Any

from dashboard.deployment.model import PlanStep
from dashboard.shared.jobs import DEPLOYMENT, Jobs
from deploy import deployment
from deploy.apply import Applied, Event, Failed, Started, StepProgress
from deploy.plan import Plan
from deploy.providers.session import Session
from workflow.settings import Settings


def step(event: Event) -> PlanStep:
    """Return an event of ``deploy`` as the page's model takes it."""
    match event:
        case Started(action, _, total):
            return PlanStep(str(action.key), kind=action.title, total=total)
        case StepProgress(key, message):
            return PlanStep(str(key), message=message)
        case Applied(key, op, message):
            return PlanStep(str(key), done=op.value, message=message)
        case Failed(key, error):
            return PlanStep(str(key), error=error)


def start(
    jobs: Jobs,
    title: str,
    planned: Callable[[], Plan],
    settings: Settings,
    session: Session,
    *,
    then: Callable[[], None] = lambda: None,
) -> None:
    """Plan and apply in the background.

    Args:
        jobs: The jobs of this process.
        title: What the run does, for people.
        planned: Makes the plan.
        settings: Of the deployment.
        session: Where.
        then: Done at the end of a run that met no error.

    Raises:
        WorkflowError: ``AlreadyRunning``.
    """

    def work(report: Callable[[Any], None]) -> None:
        failed = False
        for event in deployment.apply(planned(), settings, session):
            failed = failed or isinstance(event, Failed)
            report(step(event))
        if not failed:
            then()

    jobs.start(DEPLOYMENT, title, work)


def deploy(jobs: Jobs, settings: Settings, session: Session, then: Callable[[], None]) -> None:
    """Deploy what the settings say in the background, then do something; as ``start``."""
    start(
        jobs,
        "Deploy",
        lambda: deployment.observe_and_plan(settings, session),
        settings,
        session,
        then=then,
    )
