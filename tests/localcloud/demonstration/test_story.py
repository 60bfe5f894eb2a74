"""The story of the demonstration: what happens in its two weeks, whatever the moment."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from localcloud.demonstration.releases import definition_of
from localcloud.demonstration.story import (
    DAY,
    HOUR,
    Scene,
    StoryRelease,
    drift_share,
    tell_story,
    traffic_share,
)
from workflow.definitions import read_definition

NOW = 1_790_000_000.0
SOUND = (Path(__file__).parents[3] / "step_function.json").read_text()
moments = st.floats(1_600_000_000, 2_500_000_000)


@given(now=moments, utc_offset=st.sampled_from([-8 * HOUR, 0.0, 2 * HOUR, 5.5 * HOUR]))
def test_everything_lies_in_the_past_and_in_order(now: float, utc_offset: float) -> None:
    story = tell_story(now, count=60, utc_offset=utc_offset)

    times = [moment.at for moment in story.moments]
    assert times == sorted(times)
    assert now - 14 * DAY <= times[0]
    assert times[-1] < now
    assert [at for at, _ in story.releases] == sorted(at for at, _ in story.releases)
    assert all(at < now for at, _ in story.live)


@given(now=moments)
def test_a_release_runs_only_while_it_is_live(now: float) -> None:
    story = tell_story(now, count=60, utc_offset=0.0)

    for moment in story.moments:
        live = [index for since, index in story.live if since <= moment.at]
        assert moment.release == live[-1]


def test_the_bad_release_is_rolled_back_and_a_corrected_one_follows() -> None:
    story = tell_story(NOW, count=500, utc_offset=0.0)

    assert [kind for _, kind in story.releases] == [
        StoryRelease.SOUND,
        StoryRelease.UNCHECKED,
        StoryRelease.BROKEN,
        StoryRelease.SOUND,
    ]
    assert [index for _, index in story.live] == [0, 1, 2, 0, 3]
    assert {moment.scene for moment in story.moments if moment.release == 2} == {Scene.BROKEN}


def test_the_drift_sets_in_three_days_ago_and_no_photo_is_dark_before() -> None:
    story = tell_story(NOW, count=2000, utc_offset=0.0)

    lights = {Scene.DIM, Scene.DARK}
    assert not any(m.scene in lights for m in story.moments if m.at < NOW - 3 * DAY)
    last_day = [m.scene for m in story.moments if m.at > NOW - 0.9 * DAY]
    assert last_day.count(Scene.DARK) > 0.9 * len(last_day)
    assert (
        drift_share(NOW - 3 * DAY, NOW),
        drift_share(NOW - 2 * DAY, NOW),
        drift_share(NOW, NOW),
    ) == (0, 0.5, 1)


def test_there_is_more_traffic_by_day_than_by_night_and_less_at_weekends() -> None:
    assert traffic_share(10, 0) > 10 * traffic_share(2, 0)
    assert traffic_share(10, 6) < traffic_share(10, 0)


def test_the_same_seed_tells_the_same_story() -> None:
    assert tell_story(NOW, count=50, utc_offset=0.0) == tell_story(NOW, count=50, utc_offset=0.0)
    assert tell_story(NOW, count=50, utc_offset=0.0, seed=1) != tell_story(
        NOW, count=50, utc_offset=0.0
    )


def test_releases_that_go_wrong_are_still_valid_definitions() -> None:
    for release in StoryRelease:
        assert not read_definition(definition_of(release, SOUND)).problems
    assert definition_of(StoryRelease.SOUND, SOUND) == SOUND
    unchecked = json.loads(definition_of(StoryRelease.UNCHECKED, SOUND))
    assert "MeetsThreshold" not in unchecked["States"]
