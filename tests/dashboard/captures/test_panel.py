"""How far the sync has come, as the page says it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.access import session
from dashboard.captures.sync_progress import CaptureProgress
from workflow.access import Actor, Role
from workflow.errors import WorkflowError
from workflow.monitoring import CapturePlace

SECONDS = 60
AS_OF = datetime(2026, 11, 23, 12, tzinfo=UTC)
UNDER_WAY = CaptureProgress(listed=6_065, found=6_065, read=1_213, seconds=2.0, all_listed=True)
DONE = CaptureProgress(listed=6_065, found=6_065, read=6_065, seconds=10.0, all_listed=True)


@dataclass
class Source:
    """A feed that stays where it is put."""

    syncing: bool = False
    progress: CaptureProgress | None = None
    as_of: datetime | None = None
    paused: bool = False
    problem: WorkflowError | None = None
    version: tuple[object, ...] = ("", "", ())
    place: CapturePlace | None = None

    def watch(self) -> None:
        """Nothing runs."""

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False


def _page(source: object) -> None:
    from typing import cast  # noqa: PLC0415 - AppTest runs this text by itself

    from dashboard.captures import panel as captures  # noqa: PLC0415

    captures.show_status(cast("Any", source))


def shown(source: Source) -> AppTest:
    test = AppTest.from_function(_page, default_timeout=SECONDS, args=(source,)).run()
    assert not test.exception
    return test


def captions(test: AppTest) -> str:
    return "\n".join(one.value for one in test.caption)


def bars(test: AppTest) -> list[str]:
    return [one.proto.text for one in test.get("progress")]


def buttons(test: AppTest) -> list[str]:
    return [one.label for one in test.button]


@pytest.mark.parametrize("as_of", [None, AS_OF])
def test_objects_being_read_are_counted_and_can_be_stopped(as_of: datetime | None) -> None:
    test = shown(Source(syncing=True, progress=UNDER_WAY, as_of=as_of))

    assert bars(test) == ["1,213 of 6,065 objects read, 606 a second, 8 s left"]
    assert buttons(test) == ["Stop reading"]
    assert captions(test) == "Reading captures …"


def test_the_counts_are_there_while_there_is_more_to_list() -> None:
    listing = CaptureProgress(listed=9_000, found=4_000, read=4_000, seconds=4.0)
    test = shown(Source(syncing=True, progress=listing))

    assert bars(test) == ["4,000 of 4,000 objects read, 1,000 a second, still listing"]
    assert buttons(test) == ["Stop reading"]


@pytest.mark.parametrize("progress", [None, CaptureProgress(listed=9_000)])
def test_a_search_that_has_found_nothing_yet_can_be_stopped(
    progress: CaptureProgress | None,
) -> None:
    test = shown(Source(syncing=True, progress=progress))

    assert captions(test) == "Looking for captures …"
    assert (buttons(test), bars(test)) == (["Stop reading"], [])


def test_a_glance_that_finds_nothing_new_does_not_flash_a_button() -> None:
    test = shown(Source(syncing=True, progress=DONE, as_of=AS_OF))

    assert "As of" in captions(test)
    assert (buttons(test), bars(test)) == ([], [])


def test_nothing_can_be_stopped_between_two_passes() -> None:
    assert buttons(shown(Source())) == []
    assert buttons(shown(Source(progress=UNDER_WAY, as_of=AS_OF))) == []


def test_reading_is_stopped_and_goes_on() -> None:
    source = Source(syncing=True, progress=UNDER_WAY)
    test = shown(source)

    test.button[0].click().run()
    assert source.paused
    assert "Reading is stopped" in captions(test)
    assert (buttons(test), bars(test)) == (["Resume reading"], [])

    test.button[0].click().run()
    assert not source.paused
    assert buttons(test) == ["Stop reading"]


@pytest.mark.parametrize("paused", [False, True])
def test_who_may_only_look_stops_reading_for_nobody(
    *, paused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "current_actor", lambda: Actor("ana", Role.VIEWER))

    assert buttons(shown(Source(syncing=True, progress=UNDER_WAY, paused=paused))) == []


def test_who_has_lost_the_role_since_the_page_was_drawn_stops_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Source(syncing=True, progress=UNDER_WAY)
    test = shown(source)
    monkeypatch.setattr(session, "current_actor", lambda: Actor("ana", Role.VIEWER))

    test.button[0].click().run()

    assert not source.paused
