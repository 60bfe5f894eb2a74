"""A role may do what the roles before it may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.access import ANY_CALL, LOWEST, READS_ONLY, Actor, Privilege, Role, is_allowed
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


@pytest.mark.parametrize(
    "call", ["s3:ListObjectsV2", "athena:StartQueryExecution", "sqs:ReceiveMessage"]
)
def test_what_only_reads_is_allowed_without_a_privilege(call: str) -> None:
    assert is_allowed(call, READS_ONLY)


def test_what_changes_something_needs_a_privilege_that_names_it() -> None:
    assert not is_allowed("sqs:DeleteMessage", READS_ONLY)
    assert not is_allowed("sqs:DeleteMessage", frozenset({"sqs:SendMessage"}))
    assert is_allowed("sqs:DeleteMessage", frozenset({"sqs:DeleteMessage"}))
    assert is_allowed("sqs:DeleteMessage", ANY_CALL)


@given(st.text())
def test_a_name_that_is_no_role_is_refused(name: str) -> None:
    if name in {"viewer", "reviewer", "operator", "admin"}:
        assert Role.named(name).title == name
    else:
        with pytest.raises(WorkflowError, match="is no role"):
            Role.named(name)
