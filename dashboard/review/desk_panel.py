"""The desk of the Review page: one photo after another, labelled by a key or a thumb."""

import uuid
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import streamlit as st

from dashboard.aws.captured_images import CaptureLine, LargePhoto, large_photo
from dashboard.aws.cloud import Connection
from dashboard.captures import panel as captures
from dashboard.review import model
from dashboard.review.client import ReviewClient, Reviewer
from dashboard.review.model import KEYS, Slot, answer_name, answer_text
from dashboard.shared import components
from dashboard.shared.escaping import escape_text
from workflow.access import Privilege
from workflow.draws import Draw, Photo
from workflow.errors import WorkflowError
from workflow.reviews import NEITHER, GroundTruth, Review

AHEAD: Final = 3
"""So many photos are fetched before they are shown."""

_SLOT: Final = "review-slot"  # session state holds primitives only: [number, opinion]
_HISTORY: Final = "review-history"
_SKIPPED: Final = "review-skipped"
_WAITING: Final = "review-waiting"  # photos that were taken before one went back to another
_SAID: Final = "review-said"
_PROBLEM: Final = "review-problem"


def label_photos(found: ReviewClient, draw: Draw, who: Reviewer) -> None:
    """Show one photo after another; it is labelled by a key or a thumb."""

    @components.show_errors()
    def one() -> None:
        slot = _current_slot(found, draw, who)
        if slot is None:
            _nothing_left()
            _show_progress(found, draw)
            return
        photo = draw.photos[slot.number]
        # Started, not waited for: they are there when their turn comes.
        for later in draw.photos[slot.number + 1 : slot.number + 1 + AHEAD]:
            _start_photo(later)
        left, right = st.columns([3, 2])
        with left:
            shown = show_photo(photo)
        with right:
            _show_buttons(_Desk(found, draw, slot, who, shown))
        _show_progress(found, draw)

    st.fragment(one)()


def _current_slot(found: ReviewClient, draw: Draw, who: Reviewer) -> Slot | None:
    """Return the photo that this session holds; take the next one where it holds none."""
    held = st.session_state.get(_SLOT)
    if held is None or held[0] != draw.id:
        st.session_state.update({_HISTORY: [], _SKIPPED: [], _WAITING: []})
        slot = components.run_action(
            "choosing a photo",
            Privilege.LABEL,
            lambda _: found.claim_slot(draw, who),
            request=draw.id,
        )
        _hold_slot(draw, slot)
        return slot
    return None if held[1] < 0 else Slot(held[1], held[2])


def _hold_slot(draw: Draw, slot: Slot | None) -> None:
    place = (slot.number, slot.opinion) if slot else (-1, 0)
    st.session_state[_SLOT] = (draw.id, *place)
    st.session_state.pop(_PROBLEM, None)


def _nothing_left() -> None:
    components.empty_state(
        "No photo of this draw is left for you",
        "All are reviewed, or another reviewer is looking at them for the next five minutes.",
        page="app_pages/quality.py",
        label="Quality of the model",
    )
    if st.button("Look again", icon=":material/refresh:"):
        st.session_state.pop(_SLOT, None)
        st.rerun()


def show_photo(photo: Photo) -> LargePhoto | None:
    """Show a photo as large as its column; None where it cannot be read, and why."""
    try:
        shown = components.picture_cache().get("s3", *_photo_request(photo), fresh_s=float("inf"))
    except WorkflowError as error:
        components.error_state(error)
        st.caption("Without its photo it cannot be labelled: press T (can't tell) or skip it.")
        return None
    st.image(shown.jpeg, width="stretch", alt="The photo to label")
    return shown


def _start_photo(photo: Photo) -> None:
    components.picture_cache().start("s3", *_photo_request(photo), fresh_s=float("inf"))


def _photo_request(photo: Photo) -> tuple[Hashable, str, Callable[[], LargePhoto]]:
    place = photo.place
    line = CaptureLine(place.key, place.offset, place.length, place.gzipped)
    bucket = captures.running_feed().bucket  # labels may lie in another one
    key = ("large", bucket.name, line)
    return key, f"the photo in {place.key}", lambda: large_photo(bucket, line)


@dataclass(frozen=True, slots=True)
class _Desk:
    """What a button needs to know: it acts before the page is drawn again."""

    found: ReviewClient
    draw: Draw
    slot: Slot
    who: Reviewer
    shown: LargePhoto | None


def _show_buttons(desk: _Desk) -> None:
    """Draw a button and a key for each class, and for every other answer about a photo."""
    photo, slot = desk.draw.photos[desk.slot.number], desk.slot
    _show_answers(desk)
    with st.container(horizontal=True):
        st.button("Skip", key=f"skip-{slot.name}", shortcut="S", on_click=_skip_photo, args=(desk,))
        st.button(
            "Undo",
            key=f"undo-{slot.name}",
            shortcut="U",
            disabled=not st.session_state[_HISTORY],
            on_click=_undo_answer,
            args=(desk,),
        )
        guess = st.button("Show the model's answer", key=f"guess-{slot.name}", shortcut="G")
    if guess:
        st.info(
            f"{escape_text(_answer_name(photo.label)).capitalize()}, confidence "
            f"{photo.confidence:.3f}"
        )
    mine = st.session_state.get(_SAID, {}).get(photo.id)
    if mine:
        st.caption(f"Your answer so far: {escape_text(mine)}. Another one replaces it.")
    st.caption(f"Photo {slot.number + 1} of {len(desk.draw.photos)}")
    problem = st.session_state.get(_PROBLEM)
    if problem:
        components.error_state(WorkflowError(*problem))


def _answer_name(label: int | None) -> str:
    return answer_name(label, components.connection().watched.class_names)


def _show_answers(desk: _Desk) -> None:
    """Draw a button for each of the first classes, for neither and for "cannot tell"."""
    labels = model.list_classes(
        desk.found.list_draws(),
        desk.found.read_verdicts(),
        components.connection().watched.class_names,
    )
    known = [*zip(labels, KEYS, strict=False), (NEITHER, "N"), (None, "T")]
    for label_, key in known:
        name = "Can't tell" if label_ is None else _answer_name(label_).capitalize()
        st.button(
            escape_text(name),
            key=f"answer-{desk.slot.name}-{key}",
            shortcut=key,
            type="secondary" if label_ in (None, NEITHER) else "primary",
            width="stretch",
            # Before the page is drawn: the next photo is there in the same run.
            on_click=_give_answer,
            args=(desk, label_),
        )
    if len(labels) > len(KEYS):
        key = f"other-{desk.slot.name}"
        st.selectbox(
            "Another class",
            labels[len(KEYS) :],
            index=None,
            format_func=_answer_name,
            key=key,
            on_change=lambda: _give_answer(desk, st.session_state[key]),
        )


def _give_answer(desk: _Desk, label_: int | None) -> None:
    """Write an answer and take the next photo. Where writing fails, this photo stays."""
    photo, at = desk.draw.photos[desk.slot.number], datetime.now(UTC)
    review = _build_review(desk.draw, desk.who, desk.shown)
    truth = GroundTruth(photo.id, answer_text(label_), at, review)
    name = f"{at:%M%S}-{desk.draw.id}-{desk.slot.name}-{uuid.uuid4().hex[:8]}"
    if _go_on(desk, lambda: desk.found.write_answer(truth, label_, name), f"{name}: {truth.label}"):
        st.session_state[_HISTORY].append((desk.slot.number, desk.slot.opinion))
        st.session_state.setdefault(_SAID, {})[photo.id] = _answer_name(label_)


def _skip_photo(desk: _Desk) -> None:
    st.session_state[_SKIPPED].append((desk.slot.number, desk.slot.opinion))
    _go_on(desk, lambda: None, "skipped")


def _undo_answer(desk: _Desk) -> None:
    """Go back to the photo before; the answer stands until another one replaces it."""
    st.session_state[_WAITING].append((desk.slot.number, desk.slot.opinion))
    _hold_slot(desk.draw, Slot(*st.session_state[_HISTORY].pop()))


def _build_review(draw: Draw, who: Reviewer, shown: LargePhoto | None) -> Review:
    if shown is None:
        return Review(reviewer=who.name, draw=draw.id)
    seen = shown.statistics
    return Review(
        reviewer=who.name,
        draw=draw.id,
        brightness=seen.brightness,
        sharpness=seen.sharpness,
        pixels=seen.pixels,
    )


def _go_on(desk: _Desk, write: Callable[[], None], request: str) -> bool:
    """Write, then take the next photo; return whether both were done."""
    waiting: list[tuple[int, int]] = st.session_state[_WAITING]
    skipped: list[tuple[int, int]] = st.session_state[_SKIPPED]

    def work(_: Connection) -> Slot | None:
        write()
        if waiting:
            return Slot(*waiting.pop())
        following = desk.found.claim_slot(desk.draw, desk.who)
        return Slot(*skipped.pop(0)) if following is None and skipped else following

    try:
        _hold_slot(
            desk.draw,
            components.run_action("writing the label", Privilege.LABEL, work, request=request),
        )
    except WorkflowError as error:
        st.session_state[_PROBLEM] = (error.code, error.message, error.remedy)
        return False
    return True


def _show_progress(found: ReviewClient, draw: Draw) -> None:
    done = model.compute_progress(draw, found.read_verdicts())
    st.progress(
        done.reviewed / max(1, done.photos),
        text=f"{done.reviewed} of {done.photos} photos reviewed, {done.undecided} undecided,"
        f" {done.disputed} disputed",
    )
