"""The name beside a note, a repair and a label is that of the person whom access knows."""

import pytest

from dashboard.access import session
from dashboard.access.model import Access, Mode, Roles
from dashboard.failures.repair_panel import current_author
from workflow.access import Role


@pytest.fixture
def behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    access = Access(Mode.PROXY, roles=Roles(users={"ana@example.com": Role.OPERATOR}))
    monkeypatch.setattr(session, "current_access", lambda: access)
    monkeypatch.setattr(session, "_read_identity", lambda _: {"email": "ana@example.com"})


@pytest.mark.usefixtures("behind_a_proxy")
def test_a_person_whom_the_proxy_names_signs_with_that_name() -> None:
    assert session.login_name() == current_author() == "ana@example.com"


def test_where_nobody_logs_in_the_user_of_this_machine_signs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "current_access", lambda: Access(Mode.OPEN))
    monkeypatch.setattr(session, "_local_user", lambda: "ada")

    assert session.login_name() == ""
    assert current_author() == "ada"
