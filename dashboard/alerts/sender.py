"""The sender of alerts: finds what is due after a pass over executions, and publishes it."""

import time
from datetime import datetime

from dashboard.alerts.client import group_alerts, rejection_alert
from dashboard.alerts.outbox import AlertOutbox
from dashboard.failures.feed import FailureFeed
from workflow.errors import WorkflowError

ALERT_EVERY_S = 60.0
ALERT_RETRY_S = 4.0
"""Refused alerts are tried again so soon: a page is right within a refresh after the fault."""


class AlertSender:
    """Publishes what is due, once a minute; what could not be published, again and again.

    Args:
        failures: Knows groups and executions.
        outbox: Where alerts wait until they are published.

    Attributes:
        problem: What kept alerts from being published, or None.
    """

    def __init__(self, failures: FailureFeed, outbox: AlertOutbox) -> None:
        self.problem: WorkflowError | None = None
        self._failures = failures
        self._outbox = outbox
        self._version = 0
        self._due = float("-inf")

    def send(self, now: datetime) -> None:
        """Publish what is due, unless it was tried a moment ago.

        Args:
            now: Aware.
        """
        if time.monotonic() < self._due:
            return
        try:
            self._write(now)
            problems = self._outbox.deliver(now=now)
        except WorkflowError as error:
            problems = (error,)
        self.problem = next(iter(problems), None)
        self._due = time.monotonic() + (ALERT_RETRY_S if problems else ALERT_EVERY_S)

    def _write(self, now: datetime) -> None:
        """Write what is due into the outbox, where anything has changed."""
        executions = self._failures.executions
        version = executions.version
        if version == self._version:
            return
        rejections = rejection_alert(executions.listing(), now=now)
        due = group_alerts(self._failures.inbox(now), now=now)
        for alert in (*due, *([rejections] if rejections else [])):
            self._outbox.add(alert)
        self._version = version
