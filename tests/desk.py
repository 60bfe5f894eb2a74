"""A person at a dashboard whose cloud fails on request, and the faults that jobs are put to."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dashboard.aws import cloud as clouds
from dashboard.aws.audit_log import AuditLog
from dashboard.aws.cloud import Connection
from dashboard.aws.quotas import Pacer
from dashboard.shared.jobs import Job, Jobs
from dashboard.shared.permits import Permit
from tests.faulty_cloud import Fault, FaultyCloud
from workflow.access import Actor, Privilege, Role
from workflow.errors import WorkflowError
from workflow.submissions import Faulted

SECONDS = 120
NIGHTLY_TOO = [
    fault
    if fault in (Fault.DENIED, Fault.RESET)
    else pytest.param(fault, marks=pytest.mark.nightly)
    for fault in Fault
    if fault is not Fault.HANGS  # jobs wait for it with the patience of the dashboard's clients
]


class Desk:
    """A person at a dashboard whose cloud fails on request."""

    def __init__(self, cloud: Connection, faulty: FaultyCloud, folder: Path) -> None:
        self.cloud, self.faulty, self.jobs = cloud, faulty, Jobs()
        core = clouds._LocalSession(faulty.url)
        known = cloud.session.get_credentials()
        assert known is not None
        core.set_credentials(known.access_key, known.secret_key, known.token)
        session = clouds._make_session(core, cloud.cloud.region)
        pacer = Pacer(cloud.cloud.region, patience_s=1.0)  # five minutes each otherwise
        self.connection = Connection(cloud.cloud, cloud.settings, session, pacer)
        self._folder = folder

    def permit(self, privilege: Privilege) -> Permit:
        ana = Actor("ana@example.com", Role.ADMIN)
        return Permit(ana, privilege, self.connection, self._log(self.connection))

    def _log(self, connection: Connection) -> AuditLog:
        s3, bucket = connection.client("s3"), connection.settings.bucket
        return AuditLog(s3, bucket, self._folder, now=lambda: datetime.now(UTC))

    def recorded(self, request: str) -> list[str]:
        """Return the results of actions whose request holds a text, the oldest first."""
        found = reversed(self._log(self.cloud).read().records)
        return [one.result for one in found if request in one.request]

    def ended(self, key: str) -> Job:
        job = self.jobs.get(key)
        assert job is not None
        assert job.wait(SECONDS)
        return job


def has_remedy(error: WorkflowError | Faulted) -> bool:
    name = error.error if isinstance(error, Faulted) else error.code
    return bool(name) and len(error.remedy.split()) >= 3
