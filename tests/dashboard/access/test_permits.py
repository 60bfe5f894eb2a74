"""Each action is permitted, limited to the calls of its privilege, and recorded in the audit."""

import pytest

from dashboard.access import session
from dashboard.aws.cloud import Connection
from dashboard.shared import components, permits
from workflow.access import CALLS, Actor, Privilege, Role, is_allowed
from workflow.errors import WorkflowError


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("privilege", Privilege)
def test_each_action_writes_one_record(privilege: Privilege) -> None:
    components.run_action("doing something", privilege, lambda _: None, request="of this kind")

    (record,) = permits.audit_log().read().records
    assert (record.actor, record.role, record.action) == ("ana@example.com", "admin", privilege)
    assert (record.request, record.result) == ("doing something: of this kind", "done")


@pytest.mark.usefixtures("account")
def test_an_action_that_fails_is_in_the_audit_with_its_error() -> None:
    def fail(_: Connection) -> None:
        raise WorkflowError("NoSuchBucket", "It is gone.", "Deploy again.")

    with pytest.raises(WorkflowError, match="gone"):
        components.run_action("doing something", Privilege.TRIAGE, fail)

    (record,) = permits.audit_log().read().records
    assert record.result == "NoSuchBucket: It is gone."


@pytest.mark.usefixtures("account")
def test_what_the_role_does_not_include_is_neither_done_nor_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "current_actor", lambda: Actor("bo", Role.VIEWER))
    done: list[Connection] = []

    with pytest.raises(WorkflowError, match="bo is viewer here; triage needs"):
        components.run_action("doing something", Privilege.TRIAGE, done.append)

    assert not done
    assert not permits.audit_log().read().records


def test_a_page_may_read_and_an_action_may_do_what_its_privilege_needs(account: Connection) -> None:
    put = {"Bucket": account.settings.bucket, "Key": "a", "Body": b""}

    with pytest.raises(WorkflowError, match="s3:PutObject changes something"):
        components.connection().client("s3").put_object(**put)
    with pytest.raises(WorkflowError, match="s3:PutObject changes something"):
        components.run_action(
            "r", Privilege.ROLLOUT, lambda cloud: cloud.client("s3").put_object(**put)
        )
    components.run_action("e", Privilege.EXPORT, lambda cloud: cloud.client("s3").put_object(**put))

    assert components.connection().client("s3").head_object(Bucket=put["Bucket"], Key="a")


@pytest.mark.parametrize("privilege", [one for one in Privilege if "*" not in CALLS[one]])
def test_no_privilege_but_those_of_deployments_may_delete_anything(privilege: Privilege) -> None:
    deleting = ("s3:DeleteObject", "s3:DeleteBucket", "sqs:DeleteMessage", "lambda:DeleteFunction")

    assert not [call for call in deleting if is_allowed(call, CALLS[privilege])]
