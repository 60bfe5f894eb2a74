"""The checks of captures, handed to the sender of alerts before any page starts it."""

from functools import partial

from dashboard.captures import panel as captures
from dashboard.feeds import panel as feeds
from dashboard.overview import checks
from dashboard.shared import components


def hand_over_checks() -> None:
    """Have the sender of alerts make the checks of captures too, whatever page is looked at."""
    connection = components.connection()
    watched = connection.watched
    if not watched.topic_arn or not (watched.endpoint or watched.captures):
        return
    found = feeds.known_feeds()
    if found.alerts is not None and found.alerts.checks is None:
        background = checks.Background(components.shared_reads(), (connection.cloud, watched.name))
        found.alerts.checks = partial(
            checks.check_captures, found.failures, captures.feed_finder(), background
        )
