"""A training set is whole or not written: photos are left out for what is wrong with themselves."""

from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.review.model import DrawRequest, draw_photos
from dashboard.training import client
from tests.captured import NOW, captured
from workflow.errors import WorkflowError
from workflow.verdicts import AgreementStatus, Verdict


@pytest.mark.parametrize(
    "code", ["ExpiredToken", "SlowDown", "InternalError", "ReadTimeoutError", "AnswerMalformed"]
)
def test_where_aws_fails_while_photos_are_read_nothing_is_written(code: str) -> None:
    request = DrawRequest(size=5, random_share=1.0, threshold=0.9, since=None, by="ada")
    draw = draw_photos(captured(20).lazy(), (), request, now=NOW, token="t", seed=0)
    verdicts = {photo.id: Verdict(AgreementStatus.AGREED, 0, ()) for photo in draw.photos}

    def fail(*_: object) -> bytes:
        raise WorkflowError(code, "AWS does not answer.", "Repeat the step in a minute.")

    photos: Any = SimpleNamespace(name="b", read_range=fail, read_whole=fail)
    connection: Any = None  # nothing is written

    with pytest.raises(WorkflowError) as caught:
        client.export_set(connection, photos, [draw], verdicts, lambda _: None)

    assert caught.value.code == code
