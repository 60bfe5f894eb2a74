"""The command line says what will happen, asks, does it, and ends with the right exit code."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy import __main__ as command_line
from deploy import deployment
from deploy.__main__ import DONE, FAILED, INTERRUPTED, PENDING, main
from tests.deploy.cases import settings
from tests.deploy.conftest import Account
from workflow import audit

pytestmark = pytest.mark.usefixtures("account", "one_session")
NAME = settings().prefix


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Type an answer to whatever is asked."""

    def type_in(answer: str) -> None:
        monkeypatch.setattr("builtins.input", lambda _: answer)

    return type_in


def test_plan_ends_with_2_while_changes_are_pending_and_0_when_there_are_none() -> None:
    assert main(["plan"]) == PENDING == 2
    assert main(["apply", "--yes"]) == DONE
    assert main(["plan"]) == DONE


def test_plan_shows_each_change_with_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    main(["apply", "--yes"])
    capsys.readouterr()

    assert main(["plan", "--threshold", "0.8"]) == PENDING

    shown = capsys.readouterr().out
    assert 'environment.SCONES_THRESHOLD: "0.93" -> "0.8"' in shown
    assert "(known after apply)" in shown
    assert "3 to change, 29 up to date, 0 blocked." in shown


def test_a_threshold_that_was_applied_is_kept_by_a_plan_that_asks_for_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan"]) == PENDING
    assert "0.93. Nothing is deployed; 0.93 is the threshold of the" in capsys.readouterr().out
    main(["apply", "--yes", "--threshold", "0.8"])
    capsys.readouterr()

    assert main(["plan"]) == DONE
    assert "Threshold of the plan: 0.8. 0.8 is what is deployed.\n" in capsys.readouterr().out
    assert main(["apply", "--yes"]) == DONE
    assert "0 to change" in capsys.readouterr().out

    monkeypatch.setenv("SCONES_THRESHOLD", "0.93")
    assert main(["plan"]) == PENDING
    assert (
        "Threshold of the plan: 0.93. 0.8 is what is deployed. The plan would change it."
        in capsys.readouterr().out
    )


def test_after_a_rollback_the_threshold_in_use_is_the_one_that_is_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["apply", "--yes", "--threshold", "0.7"])
    main(["apply", "--yes", "--threshold", "0.8"])
    main(["rollback", "--yes"])
    capsys.readouterr()

    main(["plan"])

    assert "Threshold of the plan: 0.7. 0.7 is what is deployed." in capsys.readouterr().out


def test_a_threshold_that_cannot_be_read_is_told_and_blocks_nothing(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["apply", "--yes", "--threshold", "0.8"])
    account.client("lambda").delete_function(FunctionName=settings().filter_function)
    capsys.readouterr()

    assert main(["plan"]) == PENDING

    assert "What is deployed cannot be read" in capsys.readouterr().out


def test_earlier_configurations_that_are_retained_are_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["apply", "--yes"])
    assert "retained" not in capsys.readouterr().out
    main(["apply", "--yes", "--sampling-percentage", "50"])
    capsys.readouterr()

    assert main(["plan", "--sampling-percentage", "50"]) == DONE

    shown = capsys.readouterr().out
    assert "Earlier endpoint configurations retained, with their models: 1.\n" in shown
    assert "0 to change, 32 up to date, 0 blocked." in shown
    main(["plan", "--json", "--sampling-percentage", "50"])
    (retained,) = json.loads(capsys.readouterr().out)["retained"]
    assert retained.startswith(f"sagemaker.endpoint-config/{NAME}-")


def test_plan_is_json_for_other_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--json"]) == PENDING

    assert json.loads(capsys.readouterr().out)["counts"]["CREATE"] == 32


def test_plan_says_what_is_in_the_way(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    account.client("sns").create_topic(Name=f"{NAME}-alerts")

    assert main(["plan"]) == FAILED
    assert main(["apply", "--yes"]) == FAILED

    shown = capsys.readouterr()
    assert "BLOCKED" in shown.out
    assert "ResourceNotOwned" in shown.err
    assert account.client("s3").list_buckets()["Buckets"] == []


def test_apply_shows_progress_for_each_resource(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", "--yes"]) == DONE

    shown = capsys.readouterr().out
    assert f"[1/32] S3 bucket {settings().bucket}: Blocking public access" in shown
    assert f"[32/32] SageMaker endpoint {NAME}: created" in shown


def test_apply_asks_first(answers: Callable[[str], None], account: Account) -> None:
    answers("n")
    assert main(["apply"]) == FAILED
    assert account.client("s3").list_buckets()["Buckets"] == []

    answers("y")
    assert main(["apply"]) == DONE
    assert account.client("s3").list_buckets()["Buckets"] != []


def test_apply_with_nothing_to_do_does_not_ask(capsys: pytest.CaptureFixture[str]) -> None:
    main(["apply", "--yes"])

    assert main(["apply"]) == DONE
    assert "0 to change" in capsys.readouterr().out


def test_no_answer_is_no(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def end_of_input(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", end_of_input)

    assert main(["apply"]) == FAILED
    assert "NotConfirmed" in capsys.readouterr().err


def test_a_failure_is_told_with_its_remedy(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    account.answer("iam.CreateRole", ("LimitExceeded", "1000 roles.", 409))

    assert main(["apply", "--yes"]) == FAILED

    told = capsys.readouterr().err
    assert "LimitExceeded: A quota of this account is used up" in told
    assert "Service Quotas" in told


def test_canary_status_and_rollback(capsys: pytest.CaptureFixture[str]) -> None:
    main(["apply", "--yes"])
    main(["apply", "--yes", "--threshold", "0.8", "--canary", "10"])
    capsys.readouterr()

    main(["status"])
    shown = capsys.readouterr().out
    assert "  10 %" in shown
    assert "  90 %" in shown
    assert main(["rollback", "--yes"]) == DONE
    capsys.readouterr()
    main(["status", "--json"])
    versions = json.loads(capsys.readouterr().out)["versions"]
    assert [(one["number"], one["weight"]) for one in versions] == [(2, 0), (1, 100)]


def test_rollback_asks_first(answers: Callable[[str], None]) -> None:
    main(["apply", "--yes"])
    main(["apply", "--yes", "--threshold", "0.8"])

    answers("")
    assert main(["rollback"]) == FAILED


def test_rollback_of_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rollback"]) == FAILED
    assert "NothingToRollBackTo" in capsys.readouterr().err


def test_destroy_wants_the_name_typed(answers: Callable[[str], None], account: Account) -> None:
    main(["apply", "--yes"])

    answers("yes")
    assert main(["destroy"]) == FAILED
    assert account.client("iam").list_roles()["Roles"]
    answers(NAME)
    assert main(["destroy"]) == DONE
    assert not account.client("iam").list_roles()["Roles"]
    assert main(["destroy"]) == DONE


def test_destroy_says_what_it_leaves(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    main(["apply", "--yes"])
    account.client("s3").put_object(Bucket=settings().bucket, Key="images/a.png", Body=b"x")
    capsys.readouterr()

    assert main(["destroy", "--confirm", NAME]) == DONE

    assert "= KEEP    S3 bucket" in capsys.readouterr().out
    assert main(["destroy", "--confirm", NAME, "--empty-bucket", settings().bucket]) == DONE
    assert account.client("s3").list_buckets()["Buckets"] == []


def audited(account: Account) -> list[tuple[str, str]]:
    """What the audit in the bucket says was done, the latest first, and with which result."""
    s3, bucket = account.client("s3"), settings().bucket
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=audit.PREFIX).get("Contents", [])
    bodies = [s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed]
    return [(one.action, one.result) for one in audit.records(map(audit.decode, bodies))]


def test_what_is_applied_is_in_the_audit_with_its_plan(account: Account, store: Path) -> None:
    main(["apply", "--yes"])

    assert audited(account) == [("deploy", "done")]
    assert not list(store.rglob("*.json"))
    main(["apply", "--yes"])
    assert len(audited(account)) == 1, "nothing was changed"


def test_a_threshold_that_changes_is_a_decision_of_its_own(account: Account) -> None:
    main(["apply", "--yes"])
    main(["apply", "--yes", "--threshold", "0.8"])

    assert audited(account) == [("threshold", "done"), ("deploy", "done")]


def test_a_failed_deployment_is_in_the_audit_with_its_error(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = ("InvalidParameterValueException", "Bad memory", 400)
    account.answer("lambda.CreateFunction", refused)

    main(["apply", "--yes"])

    ((action, result),) = audited(account)
    assert action == "deploy"
    assert result.startswith("InvalidParameterValueException: ")


def test_the_audit_of_a_destroyed_deployment_goes_on_in_the_next_one(
    account: Account, store: Path
) -> None:
    main(["apply", "--yes"])
    main(["destroy", "--confirm", NAME])
    assert account.client("s3").list_buckets()["Buckets"] == []
    assert len(list(store.rglob("*.json"))) == 4

    main(["apply", "--yes"])

    assert [action for action, _ in audited(account)] == ["deploy", "destroy", "deploy"]
    assert not list(store.rglob("*.json"))


def test_nothing_is_deployed_that_cannot_be_recorded(
    account: Account, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.write_text("no folder")

    assert main(["apply", "--yes"]) == FAILED

    assert "AuditNotWritten" in capsys.readouterr().err
    assert account.client("iam").list_roles()["Roles"] == []


def test_an_interruption_is_said_to_be_harmless(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(deployment, "observe_and_plan", interrupt)

    assert main(["plan"]) == INTERRUPTED
    assert "stays done" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["launch"],
        ["apply", "--canary", "0"],
        ["apply", "--canary", "101"],
        ["apply", "--canary", "some"],
        ["plan", "--endpoint", "a", "--train", "s3://b"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_refused_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == FAILED
    assert "usage: python -m deploy" in capsys.readouterr().err


def test_options_override_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCONES_PROJECT", "buns")

    main(["plan", "--project", "pies", "--stage", "prod", "--region", "eu-west-1"])

    assert (
        "pies-prod in account 123456789012, region eu-west-1 (from --region)"
        in capsys.readouterr().out
    )


def test_a_setting_that_cannot_be_used_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--threshold", "high"]) == FAILED
    assert "SettingInvalid" in capsys.readouterr().err


def test_long_values_are_cut() -> None:
    assert command_line._shorten_value("x" * 500).endswith("...")
