"""The capture of an execution, where captures are queried in place."""

from collections.abc import Iterable
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.captures import panel as captures
from dashboard.shared import components
from workflow.class_names import ClassNames

SECONDS = 60


class Labelled:
    """A feed without a store, that knows one label."""

    def truth_of(self, ids: Iterable[str]) -> int | None:
        return 0 if "labelled" in ids else None


def script(inference_id: str) -> None:
    from types import SimpleNamespace  # noqa: PLC0415 - Streamlit runs this function's text

    from dashboard.executions import detail_panel  # noqa: PLC0415 - likewise

    detail_panel.show_capture(SimpleNamespace(inference_id=inference_id))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("inference_id", "says"),
    [("labelled", "Ground truth: **bicycle**"), ("other", "No ground truth yet")],
)
def test_the_ground_truth_of_an_execution_is_shown_without_a_store(
    monkeypatch: pytest.MonkeyPatch, inference_id: str, says: str
) -> None:
    named = SimpleNamespace(watched=SimpleNamespace(class_names=ClassNames(("bicycle",))))
    monkeypatch.setattr(captures, "running_feed", Labelled)
    monkeypatch.setattr(components, "connection", lambda: named)

    test = AppTest.from_function(
        script, default_timeout=SECONDS, kwargs={"inference_id": inference_id}
    ).run()

    assert not test.exception
    assert "Captures are in Athena" in "".join(one.value for one in test.markdown)
    assert says in "".join(one.value for one in [*test.markdown, *test.caption])
