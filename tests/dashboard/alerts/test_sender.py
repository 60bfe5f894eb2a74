"""The sender of alerts: checks of captures that turned go through the outbox, once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard.alerts import sender as room
from dashboard.alerts.client import Alert
from dashboard.alerts.model import CheckFinding
from dashboard.alerts.sender import HELD, AlertSender
from workflow.errors import WorkflowError

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Outbox:
    """Keeps what was added, and counts deliveries."""

    def __init__(self) -> None:
        self.added: list[str] = []
        self.deliveries = 0
        self.listed = 0
        self.silenced_until: datetime | None = None

    def add(self, alert: Alert) -> None:
        self.added.append(alert.key)

    def list_keys(self, beginning: str) -> tuple[str, ...]:
        self.listed += 1
        return tuple(key for key in self.added if key.startswith(beginning))

    def silences(self, *, now: datetime) -> dict[str, datetime]:
        until = self.silenced_until
        return {"drift": until} if until and until > now else {}

    def deliver(self, *, now: datetime) -> tuple[WorkflowError, ...]:
        self.deliveries += 1
        return ()


class Failures:
    """A feed in which nothing has changed."""

    class executions:  # noqa: N801 - stands for an attribute
        version = 0


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def sender(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> AlertSender:
    monkeypatch.setattr(room, "ALERT_EVERY_S", 0.0)
    monkeypatch.setattr(room, "ALERT_RETRY_S", 0.0)
    failures: Any = Failures()
    box: Any = outbox
    return AlertSender(failures, box)


def test_a_check_that_turns_sends_one_alert_and_one_when_it_is_right_again(
    sender: AlertSender, outbox: Outbox
) -> None:
    now = NOW
    for wrong in (False, True, None, True, False):
        sender.checks = lambda _, wrong=wrong: (CheckFinding("Drift", wrong, "So."),)
        for _ in range(3):
            sender.send(now)
            now += HELD
    assert outbox.added == ["check-drift-000001-wrong", "check-drift-000001-recovered"]


def test_a_verdict_is_sent_once_it_has_held_and_the_alerts_are_listed_once(
    sender: AlertSender, outbox: Outbox
) -> None:
    sender.checks = lambda _: (CheckFinding("Drift", wrong=True, sentence="So."),)
    for now in (NOW, NOW + HELD - timedelta(seconds=1)):
        sender.send(now)
    assert (outbox.added, outbox.listed) == ([], 0)

    for minute in range(5):
        sender.send(NOW + HELD + timedelta(minutes=minute))

    assert (outbox.added, outbox.listed) == (["check-drift-000001-wrong"], 1)


@pytest.mark.parametrize("recovers", [False, True])
def test_a_silenced_check_is_sent_after_the_silence_if_it_is_still_wrong(
    sender: AlertSender, outbox: Outbox, *, recovers: bool
) -> None:
    outbox.silenced_until = NOW + timedelta(hours=8)
    for minutes in range(0, 9 * 60, 5):
        wrong = not (recovers and minutes > 120)
        sender.checks = lambda _, wrong=wrong: (CheckFinding("Drift", wrong, "So."),)
        if minutes == 8 * 60:
            assert outbox.added == []
        sender.send(NOW + timedelta(minutes=minutes))

    assert outbox.added == ([] if recovers else ["check-drift-000001-wrong"])


def test_a_verdict_that_changes_to_and_fro_sends_nothing(
    sender: AlertSender, outbox: Outbox
) -> None:
    for minute in range(40):
        wrong = minute % 2 == 0
        sender.checks = lambda _, wrong=wrong: (CheckFinding("Drift", wrong, "So."),)
        sender.send(NOW + timedelta(minutes=minute))
    assert outbox.added == []


def test_captures_that_cannot_be_read_are_said_and_stop_no_other_alert(
    sender: AlertSender, outbox: Outbox
) -> None:
    def refused(_: datetime) -> tuple[CheckFinding, ...]:
        raise WorkflowError("AccessDenied", "No.", "Allow it.")

    sender.checks = refused
    sender.send(NOW)
    assert sender.problem is not None
    assert sender.problem.code == "AccessDenied"
    assert outbox.deliveries == 1
