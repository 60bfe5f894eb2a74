"""Parts of the Review page: who reviews, draws, and disagreements; ``desk_panel`` labels."""

import uuid
from datetime import UTC, datetime
from functools import partial
from typing import Final

import streamlit as st

from dashboard.access import session
from dashboard.aws.cloud import Cloud, Connection
from dashboard.captures import panel as captures
from dashboard.captures.feed import CaptureFeed
from dashboard.captures.source import InferenceFeed
from dashboard.review import desk_panel, model
from dashboard.review.client import ReviewClient, Reviewer
from dashboard.review.model import DrawRequest, answer_name, answer_text
from dashboard.shared import components, page_address, time_range_panel
from dashboard.shared.escaping import escape_text
from dashboard.shared.numbers import format_share
from dashboard.shared.tables import clean_cells
from dashboard.thresholds import panel as thresholds
from workflow.access import CALLS, Privilege
from workflow.draws import MOST_PHOTOS, Draw, Photo
from workflow.errors import WorkflowError
from workflow.intervals import Share
from workflow.reviews import NEITHER, GroundTruth, Review
from workflow.verdicts import AgreementStatus, Verdict, agreement

FRESH_S: Final = 10.0
"""How often the labels of others are looked for."""

VIEWS: Final = ("Label", "Disagreements", "Draws")


@st.cache_resource(show_spinner=False, max_entries=4)
def _open_client(cloud: Cloud, bucket: str) -> ReviewClient:
    """Open the reviews in a bucket; again where the local cloud was started again."""
    connection = components.connection(CALLS[Privilege.LABEL])
    if connection.cloud != cloud or connection.watched.bucket != bucket:
        raise WorkflowError("CloudChanged", "The cloud was started again.", "Reload this page.")
    return ReviewClient(connection)


def open_reviews() -> ReviewClient:
    """Return the connection's draws and labels, as of a few seconds ago.

    Raises:
        WorkflowError: AWS's own code; ``StillWaiting`` where nothing is known yet.
    """
    connection = components.connection()
    bucket = connection.watched.bucket
    if not bucket:
        raise WorkflowError(
            "NoBucket",
            "Draws and labels are kept in a bucket, and this workflow has none for them.",
            "Name a bucket that you may write to on the Workflows page.",
        )
    found = _open_client(connection.cloud, bucket)
    components.read_cloud(
        "s3", ("reviews", bucket), "draws and labels", found.refresh, fresh_s=FRESH_S
    )
    return found


def ask_reviewer() -> Reviewer:
    """Ask who reviews; a login cannot be changed."""
    login, local = session.login_name(), session.current_actor().name
    name = st.text_input(
        "Reviewer",
        login or local,
        key="reviewer",
        bind=None if login else "query-params",
        disabled=bool(login),
        max_chars=80,
        width=240,
        help="Written beside every label; the latest answer of a reviewer to a photo counts.",
    )
    token = st.session_state.setdefault("review-token", uuid.uuid4().hex)
    return Reviewer(login or name or local, token)


def nothing_yet(feed: InferenceFeed) -> None:
    """Say that there is no draw, and what it takes."""
    if feed.names().is_empty():
        components.empty_state(
            "No photo has been captured yet",
            "Photos that the model has classified can be drawn for review.",
            page="app_pages/classify.py",
            label="Go to Classify",
        )
    else:
        components.empty_state(
            "Nothing has been drawn yet", "Draw photos below; everybody reviews the same draw."
        )


def choose_view() -> str:
    """Return the view that is chosen; in the address too."""
    page_address.check_choice("view", VIEWS)
    return components.choose_view(VIEWS)


def choose_draw(draws: list[Draw]) -> Draw:
    """Return the draw that is chosen; the newest at first."""
    by_id = {draw.id: draw for draw in draws}
    chosen = st.selectbox(
        "Draw",
        list(by_id),
        key="draw",
        bind="query-params",
        # In UTC, for the address holds these words: a link means the same in every zone.
        format_func=lambda one: f"{by_id[one].at:%d %b %H:%M} UTC, {len(by_id[one].photos)} photos",
        width=280,
    )
    return by_id[chosen or draws[0].id]


def new_draw(found: ReviewClient, who: Reviewer) -> None:
    """Ask for a draw: how many photos, and how many of them are random picks."""
    feed = captures.running_feed()
    if not isinstance(feed, CaptureFeed):
        raise WorkflowError(
            "DrawNeedsStore",
            "Photos cannot be drawn while captures are read through Athena.",
            "Unset SCONES_CAPTURES for the dashboard that draws; labels are not affected.",
        )
    threshold = thresholds.read_standing().now
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
            " learned about accepted photos.",
        )
        since = st.date_input("Captured from (UTC)", None, format="YYYY-MM-DD")
        st.caption(
            (
                f"Below {format_share(threshold)}, the threshold that is deployed, a "
                "photo counts as"
                " rejected."
                if threshold
                else "No threshold was found, so every photo counts as accepted."
            )
            + " Each photo is drawn with a known probability: accuracy can be estimated for all."
        )
        if not st.form_submit_button("Draw photos", type="primary", icon=":material/casino:"):
            return
    request = DrawRequest(int(size), percent / 100, threshold, since or None, who.name)
    # Kept until AWS has answered: pressed again after an answer was lost, it draws once.
    drawing = st.session_state.setdefault("drawing", {})
    now, token = drawing.setdefault(request, (datetime.now(UTC), uuid.uuid4().hex[:8]))

    def draw(_: Connection) -> None:
        drawn = {photo.id for one in found.list_draws() for photo in one.photos}
        found.add_draw(
            model.draw_photos(
                feed.store.scan("captures"),
                drawn,
                request,
                now=now,
                token=token,
                seed=uuid.uuid4().int >> 96,
            )
        )

    try:
        components.run_action("drawing photos", Privilege.LABEL, draw)
    except WorkflowError as error:
        if error.code == "NothingToReview":  # nothing was written that could be met again
            del drawing[request]
        raise
    del drawing[request]
    st.query_params.pop("draw", None)
    st.session_state.pop("draw", None)
    st.rerun()


def show_disagreements(found: ReviewClient, draws: list[Draw], who: Reviewer) -> None:
    """Show photos whose reviewers disagree, with a way to settle each."""
    verdicts = found.read_verdicts()
    same, compared = agreement(verdicts)
    if compared:
        low, high = Share(same, compared).interval
        st.caption(
            f"Reviewers agreed on {same} of {compared} photos that two or more of them labelled:"
            f" {same / compared:.0%}, 95 % interval {low:.0%} to {high:.0%}."
        )
    photos = {photo.id: (draw, photo) for draw in draws for photo in draw.photos}
    disputed = {k: v for k, v in verdicts.items() if v.status is AgreementStatus.DISPUTED}
    if not disputed:
        components.empty_state(
            "No disagreement", "Every tenth photo of a draw is shown to a second reviewer."
        )
    for id_ in [one for one in disputed if one in photos]:
        draw, photo = photos[id_]
        _show_dispute(found, draw, photo, disputed[id_], who)
    unknown = len(disputed.keys() - photos.keys())
    if unknown:
        st.caption(f"{unknown} disputed labels belong to photos of no draw: they are not counted.")


def _show_dispute(
    found: ReviewClient, draw: Draw, photo: Photo, verdict: Verdict, who: Reviewer
) -> None:
    names = components.connection().watched.class_names
    with st.container(border=True):
        left, right = st.columns([1, 2])
        with left:
            desk_panel.show_photo(photo)
        with right:
            for answer in verdict.answers:
                name = answer_name(answer.label, names)
                when = time_range_panel.format_in_zone(answer.at)
                st.markdown(f"**{escape_text(name)}** {escape_text(answer.reviewer)}, {when}")
            labels = [
                *model.list_classes(found.list_draws(), found.read_verdicts(), names),
                NEITHER,
            ]
            given = st.selectbox(
                "Settle as",
                labels,
                index=None,
                format_func=partial(answer_name, names=names),
                key=f"settle-{photo.id}",
            )
            if st.button("Settle", key=f"settled-{photo.id}", disabled=given is None):
                at = datetime.now(UTC)
                review = Review(reviewer=who.name, draw=draw.id, settles=True)
                truth = GroundTruth(photo.id, answer_text(given), at, review)
                name = f"{at:%M%S}-{draw.id}-settled-{uuid.uuid4().hex[:8]}"
                components.run_action(
                    "settling",
                    Privilege.LABEL,
                    lambda _: found.write_answer(truth, given, name),
                    request=name,
                )
                st.rerun()


def draws_table(found: ReviewClient) -> None:
    """Show every draw with the probability that a photo was drawn, and what could not be read."""
    st.dataframe(
        clean_cells(model.draws_table(found.list_draws(), found.read_verdicts())),
        hide_index=True,
        alt="Every draw, one a row",
        column_config={
            "Drawn": time_range_panel.time_column("Drawn"),
            "Threshold": st.column_config.NumberColumn("Threshold", format="%.1f%%"),
        },
    )
    problems = found.list_problems()
    if problems:
        with st.expander(f"{len(problems)} objects or lines could not be read"):
            for problem in problems[:50]:
                st.caption(escape_text(problem))
