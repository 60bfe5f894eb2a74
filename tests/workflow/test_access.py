"""A role may do what the roles before it may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.access import LOWEST, Actor, Privilege, Role
from workflow.errors import WorkflowError

EXPECTED = {
    Role.VIEWER: set(),
    Role.REVIEWER: {"triage", "label", "watch a workflow"},
    Role.OPERATOR: {
        *("triage", "label", "watch a workflow", "use the lab"),
        *("export", "submit", "run a batch", "traffic", "repair"),
        *("threshold", "deploy", "rollback", "rollout"),
    },
    Role.ADMIN: {privilege.value for privilege in Privilege},
}


def may(role: Role, privilege: Privilege) -> bool:
    try:
        Actor("ana@example.com", role).check(privilege)
    except WorkflowError:
        return False
    return True


@pytest.mark.parametrize("role", Role)
def test_each_role_may_do_what_the_table_says(role: Role) -> None:
    assert {privilege.value for privilege in Privilege if may(role, privilege)} == EXPECTED[role]


def test_every_privilege_has_a_lowest_role() -> None:
    assert LOWEST.keys() == set(Privilege)


def test_a_refusal_names_the_person_the_action_and_the_role_that_is_missing() -> None:
    with pytest.raises(WorkflowError) as caught:
        Actor("ana@example.com", Role.VIEWER).check(Privilege.DEPLOY)

    assert caught.value.message == "ana@example.com is viewer here; deploy needs the role operator."
    assert "administrator" in caught.value.remedy


@given(st.text())
def test_a_name_that_is_no_role_is_refused(name: str) -> None:
    if name in {"viewer", "reviewer", "operator", "admin"}:
        assert Role.named(name).title == name
    else:
        with pytest.raises(WorkflowError, match="is no role"):
            Role.named(name)
