"""Whether a new model is better on the same photos."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.paired import Paired, Winner


@pytest.mark.parametrize(
    ("only_old", "only_new", "winner"),
    [
        (2, 20, Winner.BETTER),
        (20, 2, Winner.WORSE),
        (5, 7, Winner.CANNOT_TELL),
        (0, 0, Winner.CANNOT_TELL),
    ],
)
def test_photos_that_one_model_is_right_about_decide(
    only_old: int, only_new: int, winner: Winner
) -> None:
    assert Paired(200, only_old, only_new).winner is winner


@given(st.integers(1, 500), st.data())
def test_the_models_changed_places_change_the_sign(photos: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, photos))
    new = data.draw(st.integers(0, photos - old))
    one, other = Paired(photos, old, new), Paired(photos, new, old)

    assert one.difference == -other.difference
    assert one.interval == (pytest.approx(-other.interval[1]), pytest.approx(-other.interval[0]))


@pytest.mark.parametrize("share", [(0.02, 0.05), (0.08, 0.08), (0.01, 0.06)])
def test_the_interval_holds_the_true_difference(share: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(200, [*share, 1 - sum(share)], size=2_000)
    intervals = [Paired(200, old, new).interval for old, new, _ in drawn.tolist()]
    held = sum(low <= share[1] - share[0] <= high for low, high in intervals) / 2_000

    assert 0.935 <= held <= 0.995
