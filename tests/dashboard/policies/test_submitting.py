"""A photo is classified under the operator's policy; ``test_operator.py`` has the other actions."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from deploy.user_policies import User
from tests.builders import png
from tests.dashboard.workflows.conftest import look

pytestmark = pytest.mark.cloud
Open = Callable[..., AppTest]


@pytest.mark.parametrize("without", ["", "s3:PutObject", "states:StartExecution"])
def test_an_operator_classifies_with_the_operators_policy_and_not_without_its_actions(
    visit: Open, without: str
) -> None:
    test = visit("classify", User.OPERATOR, without)
    test.file_uploader[0].set_value([("a.png", png(), "image/png")]).run()
    (button,) = [one for one in test.button if one.label == "Classify (1)"]

    button.click().run()

    look(test, without or "Accepted")
