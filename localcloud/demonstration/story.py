"""Story: which executions the two weeks of the demonstration hold, and when. Pure.

Photos come by day more than by night and less at weekends. Five nights ago a release lost the check
of the threshold and the next one could not classify at all; the night shift rolled back, and a
corrected release went out in the morning. For three days the camera has been getting darker and the
lens blurred, and there are more motorcycles.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
DAYS: Final = 14
DRIFT_SINCE: Final = 3 * DAY
"""The drift sets in so long ago, and is complete after two thirds of it."""

_NIGHTS_AGO: Final = 5
_DRIFT_COMPLETE: Final = DRIFT_SINCE / 3


class Scene(StrEnum):
    """What an execution meets; executions of one scene are copies of the same few real ones."""

    CLEAR = "clear"
    DIM = "dim"
    DARK = "dark"
    TORN = "torn"
    MISSING = "missing"
    UNCHECKED = "unchecked"
    BROKEN = "broken"


class StoryRelease(StrEnum):
    """What a version of the state machine is."""

    SOUND = "sound"
    UNCHECKED = "unchecked"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Moment:
    """An execution of the history.

    Attributes:
        at: When it starts, seconds since 1970.
        scene: What it meets.
        release: Index of the release in ``Story.releases`` that it runs.
    """

    at: float
    scene: Scene
    release: int


@dataclass(frozen=True, slots=True)
class Story:
    """The history.

    Attributes:
        releases: What was published and when, in order.
        live: Since when which release got the executions, by its index in ``releases``, in order.
        moments: The executions, in order.
    """

    releases: tuple[tuple[float, StoryRelease], ...]
    live: tuple[tuple[float, int], ...]
    moments: tuple[Moment, ...]


def tell_story(now: float, *, count: int, utc_offset: float, seed: int = 0) -> Story:
    """Return the two weeks before a moment.

    Args:
        now: Seconds since 1970.
        count: Number of executions, those of the bad night aside.
        utc_offset: Seconds that local time is ahead of UTC: the rhythm is that of local days.
        seed: Makes the same history.
    """
    random = Random(seed)  # noqa: S311 - a history keeps no secret
    start = now - DAYS * DAY
    midnight = (now + utc_offset) // DAY * DAY - utc_offset - (_NIGHTS_AGO - 1) * DAY
    releases = (
        (start - HOUR, StoryRelease.SOUND),
        (midnight - 1.4 * HOUR, StoryRelease.UNCHECKED),
        (midnight - 0.5 * HOUR, StoryRelease.BROKEN),
        (midnight + 9.5 * HOUR, StoryRelease.SOUND),
    )
    rolled_back = (midnight + 0.8 * HOUR, 0)
    live = tuple(sorted([(at, i) for i, (at, _) in enumerate(releases)] + [rolled_back]))
    times = [
        *(_draw_time(random, start, now, utc_offset) for _ in range(count)),
        *(random.uniform(releases[1][0], releases[2][0]) for _ in range(12)),
        *(random.uniform(releases[2][0], rolled_back[0]) for _ in range(26)),
    ]
    moments = [_draw_moment(random, at, now, releases, live) for at in sorted(times)]
    return Story(releases, live, tuple(moments))


def traffic_share(hour: float, weekday: int) -> float:
    """Return the share of the busiest hour's traffic at an hour of a day, 0 to 1; 0 is Monday."""
    busy = (
        0.06 + math.exp(-(((hour - 10.5) / 3) ** 2)) + 0.8 * math.exp(-(((hour - 16) / 2.5) ** 2))
    )
    return busy / 1.1 * (0.45 if weekday >= 5 else 1.0)  # noqa: PLR2004 - Saturday and Sunday


def _draw_time(random: Random, start: float, now: float, utc_offset: float) -> float:
    """Return a time drawn by the rhythm of the traffic."""
    # Rejection sampling: a uniform time is kept as often as its hour is busy.
    while True:
        at = random.uniform(start, now - 60)
        local = at + utc_offset
        weekday = int(local // DAY + 3) % 7  # 1970-01-01 was a Thursday
        if random.random() < traffic_share(local % DAY / HOUR, weekday):
            return at


def _draw_moment(
    random: Random,
    at: float,
    now: float,
    releases: Sequence[tuple[float, StoryRelease]],
    live: Sequence[tuple[float, int]],
) -> Moment:
    index = next((i for since, i in reversed(live) if since <= at), 0)
    if releases[index][1] is not StoryRelease.SOUND:
        return Moment(at, Scene(releases[index][1].value), index)
    chance = random.random()
    if chance < 0.004:  # noqa: PLR2004 - one file in 250 was cut off on its way
        return Moment(at, Scene.TORN, index)
    if chance < 0.007 and at < now - 2 * DAY:  # noqa: PLR2004 - a sender that was mended since
        return Moment(at, Scene.MISSING, index)
    return Moment(at, _draw_light(random, drift_share(at, now)), index)


def drift_share(at: float, now: float) -> float:
    """Return how far the drift has come at a time, 0 to 1."""
    begun = now - DRIFT_SINCE
    return max(0.0, min(1.0, (at - begun) / (DRIFT_SINCE - _DRIFT_COMPLETE)))


def _draw_light(random: Random, share: float) -> Scene:
    """Return the nearest of the three lights, drawn so that their mean is the share."""
    place = 2 * share
    low = min(1, int(place))
    steps = (Scene.CLEAR, Scene.DIM, Scene.DARK)
    return steps[low + (random.random() < place - low)]
