"""Parts of the Review page: draw photos, label them one by one, settle disagreements."""

import getpass
import uuid
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import streamlit as st

from dashboard.aws.captured_images import CaptureLine, LargePhoto, large_photo
from dashboard.aws.cloud import Cloud
from dashboard.captures import panel as captures
from dashboard.captures.feed import CaptureFeed
from dashboard.review import model
from dashboard.review.client import ReviewClient, Reviewer
from dashboard.review.model import KEYS, DrawRequest, Slot, answer_name, answer_text
from dashboard.shared import components
from dashboard.shared.escaping import plain
from dashboard.thresholds import panel as thresholds
from workflow.draws import MOST_PHOTOS, Draw, Photo
from workflow.errors import WorkflowError
from workflow.intervals import Share
from workflow.reviews import NEITHER, GroundTruth, Review
from workflow.verdicts import Status, Verdict, agreement

FRESH_S: Final = 10.0
"""How often the labels of others are looked for."""

AHEAD: Final = 3
"""So many photos are fetched before they are shown."""

VIEWS: Final = ("Label", "Disagreements", "Draws")

_SLOT: Final = "review-slot"  # session state holds primitives only: [number, opinion]
_HISTORY: Final = "review-history"
_SKIPPED: Final = "review-skipped"
_WAITING: Final = "review-waiting"  # photos that were taken before one went back to another
_SAID: Final = "review-said"
_PROBLEM: Final = "review-problem"


@st.cache_resource(show_spinner=False, max_entries=4)
def _client(cloud: Cloud) -> ReviewClient:
    """The client of a cloud; another one when the local cloud was started again."""
    connection = components.connection()
    if connection.cloud != cloud:
        raise WorkflowError("CloudChanged", "The cloud was started again.", "Reload this page.")
    return ReviewClient(connection)


def client() -> ReviewClient:
    """Return the connection's draws and labels, as of a few seconds ago.

    Raises:
        WorkflowError: AWS's own code; ``StillWaiting`` where nothing is known yet.
    """
    found = _client(components.connection().cloud)
    components.read("s3", "reviews", "draws and labels", found.refresh, fresh_s=FRESH_S)
    return found


def _login() -> str:
    return str(st.user.get("email") or "")


def reviewer() -> Reviewer:
    """Ask who reviews; a login cannot be changed."""
    login = _login()
    name = st.text_input(
        "Reviewer",
        login or getpass.getuser(),
        key="reviewer",
        bind=None if login else "query-params",
        disabled=bool(login),
        max_chars=80,
        width=240,
        help="Written beside every label; of one reviewer the latest answer to a photo counts.",
    )
    token = st.session_state.setdefault("review-token", uuid.uuid4().hex)
    return Reviewer(login or name or getpass.getuser(), token)


def view(verdicts: Mapping[str, Verdict]) -> str:
    """Return the view that is chosen; in the address too."""
    disputed = sum(verdict.status is Status.DISPUTED for verdict in verdicts.values())

    def title(name: str) -> str:
        return f"{name} ({disputed})" if name == "Disagreements" and disputed else name

    chosen = st.segmented_control(
        "View",
        VIEWS,
        default=VIEWS[0],
        key="view",
        required=True,
        bind="query-params",
        format_func=title,
        label_visibility="collapsed",
    )
    return str(chosen or VIEWS[0])


def which(draws: list[Draw]) -> Draw:
    """Return the draw that is chosen; the newest at first."""
    by_id = {draw.id: draw for draw in draws}
    chosen = st.selectbox(
        "Draw",
        list(by_id),
        key="draw",
        bind="query-params",
        format_func=lambda one: f"{by_id[one].at:%d %b %H:%M} UTC, {len(by_id[one].photos)} photos",
        width=280,
    )
    return by_id[chosen or draws[0].id]


def _progress(found: ReviewClient, draw: Draw) -> None:
    done = model.progress(draw, found.verdicts())
    st.progress(
        done.reviewed / max(1, done.photos),
        text=f"{done.reviewed} of {done.photos} photos reviewed, {done.undecided} undecided,"
        f" {done.disputed} disputed",
    )


def new_draw(found: ReviewClient, who: Reviewer) -> None:
    """Ask for a draw: how many photos, and how many of them are random picks."""
    feed = captures.feed()
    if not isinstance(feed, CaptureFeed):
        raise WorkflowError(
            "DrawNeedsStore",
            "Photos cannot be drawn while captures are read through Athena.",
            "Unset SCONES_CAPTURES for the dashboard that draws; labels are not affected.",
        )
    threshold = thresholds.standing().now
    with st.form("new-draw", border=False):
        size = st.number_input("Photos", 1, MOST_PHOTOS, 100, step=10)
        percent = st.slider(
            "Random picks among the accepted",
            0,
            100,
            50,
            step=5,
            format="%d %%",
            help="The rest of the draw is below the threshold. Without random picks nothing is"
            " learned about what was accepted.",
        )
        since = st.date_input("Captured from (UTC)", None, format="YYYY-MM-DD")
        st.caption(
            f"Below {threshold:g}, the threshold that is deployed, a photo counts as rejected. Each"
            " photo is drawn with a known probability, so that accuracy can be estimated for all."
        )
        if not st.form_submit_button("Draw photos", type="primary", icon=":material/casino:"):
            return
    request = DrawRequest(int(size), percent / 100, threshold, since or None, who.name)

    def draw() -> None:
        drawn = {photo.id for one in found.draws() for photo in one.photos}
        found.add_draw(
            model.draw_photos(
                feed.store.scan("captures"),
                drawn,
                request,
                now=datetime.now(UTC),
                token=uuid.uuid4().hex[:8],
                seed=uuid.uuid4().int >> 96,
            )
        )

    components.act("drawing photos", draw)
    st.query_params.pop("draw", None)
    for name in ("draw", _SLOT):
        st.session_state.pop(name, None)
    st.rerun()


def label(found: ReviewClient, draw: Draw, who: Reviewer) -> None:
    """Show one photo after another; it is labelled by a key or a thumb."""

    @components.explained()
    def one() -> None:
        slot = _current(found, draw, who)
        _progress(found, draw)
        if slot is None:
            _nothing_left()
            return
        photo = draw.photos[slot.number]
        for later in draw.photos[slot.number + 1 : slot.number + 1 + AHEAD]:
            _start_photo(found, later)
        left, right = st.columns([3, 2])
        with left:
            shown = _show(found, photo)
        with right:
            _buttons(_Desk(found, draw, slot, who, shown))

    st.fragment(one)()


def _current(found: ReviewClient, draw: Draw, who: Reviewer) -> Slot | None:
    """Return the photo that this session holds; take the next one where it holds none."""
    held = st.session_state.get(_SLOT)
    if held is None or held[0] != draw.id:
        st.session_state.update({_HISTORY: [], _SKIPPED: [], _WAITING: []})
        slot = components.act("choosing a photo", lambda: found.claim(draw, who))
        _hold(draw, slot)
        return slot
    return None if held[1] < 0 else Slot(held[1], held[2])


def _hold(draw: Draw, slot: Slot | None) -> None:
    place = (slot.number, slot.opinion) if slot else (-1, 0)
    st.session_state[_SLOT] = (draw.id, *place)
    st.session_state.pop(_PROBLEM, None)


def _nothing_left() -> None:
    components.empty_state(
        "No photo of this draw is left for you",
        "All are reviewed, or another reviewer is looking at them for the next five minutes.",
    )
    if st.button("Look again", icon=":material/refresh:"):
        st.session_state.pop(_SLOT, None)
        st.rerun()


def _show(found: ReviewClient, photo: Photo) -> LargePhoto | None:
    """Show a photo as large as its column; None where it cannot be read, and why."""
    try:
        shown = components.pictures().get("s3", *_asked(found, photo), fresh_s=float("inf"))
    except WorkflowError as error:
        components.error_state(error)
        st.caption("A photo that is gone or is no image cannot be told: press T, or skip it.")
        return None
    st.image(shown.jpeg, width="stretch", alt="The photo to label")
    return shown


def _start_photo(found: ReviewClient, photo: Photo) -> None:
    components.pictures().start("s3", *_asked(found, photo), fresh_s=float("inf"))


def _asked(found: ReviewClient, photo: Photo) -> tuple[Hashable, str, Callable[[], LargePhoto]]:
    place = photo.place
    line = CaptureLine(place.key, place.offset, place.length, place.gzipped)
    key = ("large", found.bucket.name, line)
    return key, f"the photo in {place.key}", lambda: large_photo(found.bucket, line)


@dataclass(frozen=True, slots=True)
class _Desk:
    """What a button needs to know: it acts before the page is drawn again."""

    found: ReviewClient
    draw: Draw
    slot: Slot
    who: Reviewer
    shown: LargePhoto | None


def _buttons(desk: _Desk) -> None:
    """One button and key a class, and everything else that can be said of a photo."""
    photo, slot = desk.draw.photos[desk.slot.number], desk.slot
    _answers(desk)
    with st.container(horizontal=True):
        st.button("Skip", key=f"skip-{slot.name}", shortcut="S", on_click=_skip, args=(desk,))
        st.button(
            "Undo",
            key=f"undo-{slot.name}",
            shortcut="U",
            disabled=not st.session_state[_HISTORY],
            on_click=_undo,
            args=(desk,),
        )
        guess = st.button("Show the model's answer", key=f"guess-{slot.name}", shortcut="G")
    if guess:
        st.info(
            f"{plain(answer_name(photo.label)).capitalize()}, confidence {photo.confidence:.3f}"
        )
    mine = st.session_state.get(_SAID, {}).get(photo.id)
    if mine:
        st.caption(f"Your answer so far: {plain(mine)}. Another one replaces it.")
    st.caption(f"Photo {slot.number + 1} of {len(desk.draw.photos)}")
    problem = st.session_state.get(_PROBLEM)
    if problem:
        components.error_state(WorkflowError(*problem))


def _answers(desk: _Desk) -> None:
    """A button for each of the first classes, for neither and for not being able to tell."""
    labels = model.classes(desk.found.draws(), desk.found.verdicts())
    known = [*zip(labels, KEYS, strict=False), (NEITHER, "N"), (None, "T")]
    for label_, key in known:
        name = "Can't tell" if label_ is None else answer_name(label_).capitalize()
        st.button(
            plain(name),
            key=f"answer-{desk.slot.name}-{key}",
            shortcut=key,
            type="secondary" if label_ in (None, NEITHER) else "primary",
            width="stretch",
            on_click=_give,
            args=(desk, label_),
        )
    if len(labels) > len(KEYS):
        key = f"other-{desk.slot.name}"
        st.selectbox(
            "Another class",
            labels[len(KEYS) :],
            index=None,
            format_func=answer_name,
            key=key,
            on_change=lambda: _give(desk, st.session_state[key]),
        )


def _give(desk: _Desk, label_: int | None) -> None:
    """Write an answer and take the next photo. Where writing fails, this photo stays."""
    photo, at = desk.draw.photos[desk.slot.number], datetime.now(UTC)
    review = _review(desk.draw, desk.who, desk.shown)
    truth = GroundTruth(photo.id, answer_text(label_), at, review)
    name = f"{at:%M%S}-{desk.draw.id}-{desk.slot.name}-{uuid.uuid4().hex[:8]}"
    if _go_on(desk, lambda: desk.found.answer(truth, label_, name)):
        st.session_state[_HISTORY].append((desk.slot.number, desk.slot.opinion))
        st.session_state.setdefault(_SAID, {})[photo.id] = answer_name(label_)


def _skip(desk: _Desk) -> None:
    st.session_state[_SKIPPED].append((desk.slot.number, desk.slot.opinion))
    _go_on(desk, lambda: None)


def _undo(desk: _Desk) -> None:
    """Go back to the photo before; the answer stands until another one replaces it."""
    st.session_state[_WAITING].append((desk.slot.number, desk.slot.opinion))
    _hold(desk.draw, Slot(*st.session_state[_HISTORY].pop()))


def _review(draw: Draw, who: Reviewer, shown: LargePhoto | None) -> Review:
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


def _go_on(desk: _Desk, write: Callable[[], None]) -> bool:
    """Write, then take the next photo; return whether both were done."""
    waiting: list[tuple[int, int]] = st.session_state[_WAITING]
    skipped: list[tuple[int, int]] = st.session_state[_SKIPPED]

    def work() -> Slot | None:
        write()
        if waiting:
            return Slot(*waiting.pop())
        following = desk.found.claim(desk.draw, desk.who)
        return Slot(*skipped.pop(0)) if following is None and skipped else following

    try:
        _hold(desk.draw, components.act("writing the label", work))
    except WorkflowError as error:
        st.session_state[_PROBLEM] = (error.code, error.message, error.remedy)
        return False
    return True


def disagreements(found: ReviewClient, draws: list[Draw], who: Reviewer) -> None:
    """Show photos whose reviewers disagree, with a way to settle each."""
    verdicts = found.verdicts()
    same, compared = agreement(verdicts)
    if compared:
        low, high = Share(same, compared).interval
        st.caption(
            f"Reviewers agreed on {same} of {compared} photos that two or more of them labelled:"
            f" {same / compared:.0%}, 95 % interval {low:.0%} to {high:.0%}."
        )
    photos = {photo.id: (draw, photo) for draw in draws for photo in draw.photos}
    disputed = {k: v for k, v in verdicts.items() if v.status is Status.DISPUTED}
    if not disputed:
        components.empty_state(
            "Nobody disagrees", "Every tenth photo of a draw is shown to a second reviewer."
        )
    for id_ in [one for one in disputed if one in photos]:
        draw, photo = photos[id_]
        _dispute(found, draw, photo, disputed[id_], who)
    unknown = len(disputed.keys() - photos.keys())
    if unknown:
        st.caption(f"{unknown} disputed labels belong to photos of no draw: they are not counted.")


def _dispute(
    found: ReviewClient, draw: Draw, photo: Photo, verdict: Verdict, who: Reviewer
) -> None:
    with st.container(border=True):
        left, right = st.columns([1, 2])
        with left:
            _show(found, photo)
        with right:
            for answer in verdict.answers:
                name = answer_name(answer.label)
                st.markdown(
                    f"**{plain(name)}** {plain(answer.reviewer)}, {answer.at:%d %b %H:%M} UTC"
                )
            labels = [*model.classes(found.draws(), found.verdicts()), NEITHER]
            given = st.selectbox(
                "Settle as", labels, index=None, format_func=answer_name, key=f"settle-{photo.id}"
            )
            if st.button("Settle", key=f"settled-{photo.id}", disabled=given is None):
                at = datetime.now(UTC)
                review = Review(reviewer=who.name, draw=draw.id, settles=True)
                truth = GroundTruth(photo.id, answer_text(given), at, review)
                name = f"{at:%M%S}-{draw.id}-settled-{uuid.uuid4().hex[:8]}"
                components.act("settling", lambda: found.answer(truth, given, name))
                st.rerun()


def draws_table(found: ReviewClient) -> None:
    """Show every draw with the probability that a photo was drawn, and what could not be read."""
    st.dataframe(
        model.draws_table(found.draws(), found.verdicts()),
        hide_index=True,
        alt="Every draw, one a row",
    )
    problems = found.problems()
    if problems:
        with st.expander(f"{len(problems)} objects or lines could not be read"):
            for problem in problems[:50]:
                st.caption(plain(problem))
