"""The sender of alerts: finds what is due after a pass over executions, and publishes it."""

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from dashboard.alerts.client import Alert, group_alerts, rejection_alert
from dashboard.alerts.model import CheckFinding, last_turn, prefix_of, turn_alert
from dashboard.alerts.outbox import AlertOutbox
from dashboard.failures.feed import FailureFeed
from workflow.errors import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable

ALERT_EVERY_S = 60.0
ALERT_RETRY_S = 4.0
"""Refused alerts are tried again so soon: a page is right within a refresh after the fault."""
HELD: Final = timedelta(minutes=15)
"""A verdict that has not held for so long is not sent: captures are late, and AWS may throttle."""


class AlertSender:
    """Publishes what is due, once a minute; what could not be published, again and again.

    Args:
        failures: Knows groups and executions.
        outbox: Where alerts wait until they are published.

    Attributes:
        problem: What kept alerts from being published, or None.
        checks: Makes the checks of captures, where there are any; they may raise
            ``WorkflowError``.
    """

    def __init__(self, failures: FailureFeed, outbox: AlertOutbox) -> None:
        self.problem: WorkflowError | None = None
        self.checks: Callable[[datetime], tuple[CheckFinding, ...]] | None = None
        self._said: dict[str, tuple[bool | None, datetime]] = {}
        self._compared: set[str] = set()
        self._failures = failures
        self._outbox = outbox
        self._version = 0
        self._due = float("-inf")

    def add(self, alert: Alert) -> None:
        """Have an alert sent that no pass over executions finds.

        Raises:
            WorkflowError: AWS's own code; the alert was not written then.
        """
        self._outbox.add(alert)

    def send(self, now: datetime) -> None:
        """Publish what is due, unless it was tried a moment ago.

        Args:
            now: Aware.
        """
        if time.monotonic() < self._due:
            return
        problems: list[WorkflowError] = []
        # Each by itself: what ends one must not keep the others from sending.
        for step in (self._write_due, self._write_turns, self._deliver):
            try:
                problems += step(now)
            except WorkflowError as error:
                problems.append(error)
        self.problem = next(iter(problems), None)
        # From the end of the attempt: a slow AWS must not be asked without a pause.
        self._due = time.monotonic() + (ALERT_RETRY_S if problems else ALERT_EVERY_S)

    def _deliver(self, now: datetime) -> tuple[WorkflowError, ...]:
        return self._outbox.deliver(now=now)

    def _write_turns(self, now: datetime) -> tuple[WorkflowError, ...]:
        """Write that a check of captures has turned into the outbox."""
        for finding in self.checks(now) if self.checks else ():
            said = self._said.get(finding.slug)
            if said is None or said[0] is not finding.wrong:
                said = self._said[finding.slug] = (finding.wrong, now)
                self._compared.discard(finding.slug)
            # A verdict is compared with the alerts in S3 once: listing them costs a request each.
            if now - said[1] < HELD or finding.slug in self._compared:
                continue
            last = last_turn(finding.slug, self._outbox.list_keys(prefix_of(finding.slug)))
            if alert := turn_alert(finding, last):
                if finding.slug in self._outbox.silences(now=now):
                    continue  # it is sent at the end of the silence, where it is true by then
                self._outbox.add(alert)
            self._compared.add(finding.slug)
        return ()

    def _write_due(self, now: datetime) -> tuple[WorkflowError, ...]:
        """Write what is due of executions into the outbox, where anything has changed."""
        executions = self._failures.executions
        version = executions.version
        if version == self._version:
            return ()
        rejections = rejection_alert(executions.listing(), now=now)
        due = group_alerts(self._failures.read_inbox(now), now=now)
        for alert in (*due, *([rejections] if rejections else [])):
            self._outbox.add(alert)
        self._version = version
        return ()
