"""Turns of a check: one alert when it needs somebody, one when it is right again."""

from hypothesis import given
from hypothesis import strategies as st

from dashboard.alerts.model import CheckFinding, Turn, key_of, last_turn, turn_alert

SLUGS = st.sampled_from(["drift", "data-health"])
TURNS = st.builds(Turn, st.integers(1, 999_999), recovered=st.booleans())


def drift(*, wrong: bool | None) -> CheckFinding:
    return CheckFinding("Drift", wrong, "Confidence differs.")


@given(SLUGS, st.lists(TURNS, max_size=8), TURNS)
def test_the_latest_turn_is_read_from_the_keys_of_its_own_check(
    slug: str, turns: list[Turn], other: Turn
) -> None:
    keys = [key_of(slug, turn) for turn in turns]
    other_slug = "drift" if slug == "data-health" else "data-health"
    strange = [key_of(other_slug, other), "new-0123", "check-drift-x-wrong", ""]
    assert last_turn(slug, [*strange, *keys]) == max(turns, default=None)


@given(st.lists(st.sampled_from([True, False, None])))
def test_alerts_alternate_however_the_verdict_goes(verdicts: list[bool | None]) -> None:
    keys: list[str] = []
    for wrong in verdicts:
        alert = turn_alert(drift(wrong=wrong), last_turn("drift", keys))
        assert wrong is not None or alert is None
        keys += [alert.key] if alert else []
    judged = [one for one in verdicts if one is not None]
    turns = sum(now != before for before, now in zip([False, *judged], judged, strict=False))
    assert len(keys) == len(set(keys)) == turns
    assert all(key.endswith("wrong") for key in keys[::2])
    assert all(key.endswith("recovered") for key in keys[1::2])


def test_the_alert_says_which_check_and_what_it_found() -> None:
    wrong = turn_alert(drift(wrong=True), None)
    right = turn_alert(
        CheckFinding("Data health", wrong=False, sentence="All read."), Turn(3, recovered=False)
    )
    assert wrong is not None
    assert right is not None
    assert (wrong.key, wrong.subject) == ("check-drift-000001-wrong", "Drift needs attention")
    assert wrong.body.startswith("Confidence differs.")
    assert right.key == "check-data-health-000003-recovered"
    assert right.subject == "Data health is right again"
