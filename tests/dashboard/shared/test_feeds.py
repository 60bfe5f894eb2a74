"""One feed for each watched workflow, replaced only by whoever reads the workflow anew."""

from dataclasses import replace
from typing import Any

from dashboard.shared.feeds import Feeds
from tests.dashboard.aws.unconnected import unconnected


class Feed:
    def __init__(self, connection: Any) -> None:
        self.names, self.closed = connection.watched.classes, False

    def close(self) -> None:
        self.closed = True


def test_a_thread_with_an_older_description_does_not_replace_the_feed_of_pages() -> None:
    feeds, older = Feeds(Feed), unconnected()
    newer = replace(older, classes=("cat", "dog"))
    shown = feeds.get_feed(newer)

    assert feeds.get_feed(older, as_known=True) is shown
    assert not shown.closed
    assert feeds.get_feed(older) is not shown
    assert shown.closed


def test_a_thread_that_is_first_makes_the_feed_that_pages_read() -> None:
    feeds, connection = Feeds(Feed), unconnected()

    assert feeds.get_feed(connection, as_known=True) is feeds.get_feed(connection)
