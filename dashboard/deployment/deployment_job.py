"""Runs of ``deploy`` as the one job that changes the deployment."""

from collections.abc import Callable
from typing import Any

from dashboard.deployment.model import PlanStep
from dashboard.shared.jobs import DEPLOYMENT, Jobs
from dashboard.shared.permits import Permit
from deploy import deployment
from deploy.apply import Applied, Event, Failed, Started, StepProgress
from deploy.plan import Plan
from workflow.access import Privilege
from workflow.audit import DONE
from workflow.settings import Settings


def convert_event(event: Event) -> PlanStep:
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


def start_job(
    jobs: Jobs,
    title: str,
    permit: Permit,
    planned: Callable[[], Plan],
    settings: Settings,
    *,
    then: Callable[[], None] = lambda: None,
) -> None:
    """Plan, apply and record in the background.

    Args:
        jobs: The jobs of this process.
        title: What the run does, for people.
        permit: Of the person who asks for it.
        planned: Makes the plan.
        settings: Of the deployment.
        then: Done at the end of a run that met no error.

    Raises:
        WorkflowError: ``AlreadyRunning``.
    """

    def work(report: Callable[[Any], None]) -> None:
        plan = planned()
        privilege = permit.privilege
        # Known only once the plan is made; the audit names what it turned out to be.
        if privilege is Privilege.DEPLOY and plan.sets_threshold:
            privilege = Privilege.THRESHOLD
        with permit.record_action(plan.request, privilege) as result:
            for event in deployment.apply(plan, settings, permit.connection.session):
                report(convert_event(event))
                if isinstance(event, Failed):
                    result.text = f"{event.error.code}: {event.error.message}"
        if result.text == DONE:
            then()

    jobs.start(DEPLOYMENT, title, work)


def start_deployment(
    jobs: Jobs, permit: Permit, settings: Settings, then: Callable[[], None]
) -> None:
    """Deploy what the settings say in the background, then do something; as ``start_job``."""
    session = permit.connection.session
    start_job(
        jobs,
        "Deploy",
        permit,
        lambda: deployment.observe_and_plan(settings, session),
        settings,
        then=then,
    )


def deploy_batch(jobs: Jobs, permit: Permit, settings: Settings) -> None:
    """Deploy the state machine of batches in the background; as ``start_job``."""
    session = permit.connection.session
    start_job(
        jobs,
        "Deploy batch classification",
        permit,
        lambda: deployment.plan_batch(settings, session),
        settings,
    )
