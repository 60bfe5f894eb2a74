"""Silences of checks: the one set last counts, until its end."""

from datetime import UTC, datetime, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.alerts import log
from dashboard.alerts.model import CHECKS, slug_of
from dashboard.alerts.silences import SILENCES_PREFIX, silenced_checks
from dashboard.aws.cloud import Connection

NOW = datetime(2026, 1, 5, 12, 30, tzinfo=UTC)


def test_keys_that_nobody_here_wrote_are_left_out() -> None:
    strange = ("", "x", "20260105T120000000000Z/drift", "20261305T120000000000Z/drift/1", "a/b/c")
    impossible = "20260105T120000000000Z/drift/20269905T120000000000Z"
    assert silenced_checks([*strange, impossible], now=NOW) == {}


def _panel() -> None:
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - AppTest runs the source alone
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    from dashboard.alerts import log, panel  # noqa: PLC0415
    from dashboard.shared import components  # noqa: PLC0415
    from dashboard.shared.time_range import TimeRange  # noqa: PLC0415

    found = log.read_alerts(components.connection(), now=datetime.now(UTC))
    panel.show_silenced(found, [], TimeRange(timedelta(days=1), ZoneInfo("UTC")))
    panel.silence_check()


def test_the_page_silences_a_check_and_ends_the_silence(account: Connection) -> None:
    account.client("sns").create_topic(Name=account.watched.topic_arn.rpartition(":")[2])

    test = AppTest.from_function(_panel, default_timeout=60).run()
    assert [one.value for one in test.caption] == ["Nothing is silenced."]

    test.selectbox[0].set_value("Drift")
    (silence,) = [one for one in test.button if one.label == "Silence"]
    silence.click().run()
    assert any("Drift: until " in one.value for one in test.markdown)

    (end,) = [one for one in test.button if one.label == "End the silence of Drift"]
    end.click().run()
    assert not test.exception
    assert [one.value for one in test.caption] == ["Nothing is silenced."]


@pytest.mark.cloud
def test_a_check_is_silenced_until_its_end_or_until_somebody_ends_it(deployed: Connection) -> None:
    drift = slug_of("Drift")
    assert "Drift" in CHECKS

    log.silence(deployed, drift, NOW + timedelta(hours=8), now=NOW)
    found = log.read_alerts(deployed, now=NOW + timedelta(hours=1)).silences
    assert found == {"drift": NOW + timedelta(hours=8)}
    assert log.read_alerts(deployed, now=NOW + timedelta(hours=8)).silences == {}

    later = NOW + timedelta(hours=2)
    log.silence(deployed, drift, later, now=later)
    assert log.read_alerts(deployed, now=later).silences == {}
    assert SILENCES_PREFIX.startswith("triage/")
