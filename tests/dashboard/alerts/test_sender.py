"""When alerts are tried again."""

from dashboard.alerts.sender import alert_pause


def test_alerts_that_are_refused_are_tried_ever_less_often() -> None:
    pauses = [alert_pause(failed) for failed in range(10)]

    assert pauses[:4] == [60, 5, 10, 20]
    assert pauses[-1] == 300
