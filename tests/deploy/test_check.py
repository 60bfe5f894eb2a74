"""What would end a deployment is found before it begins, each with what to do about it."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from deploy.check import (
    CheckedAccount,
    PreflightFinding,
    PreflightLevel,
    collect_findings,
    quota_names,
)
from deploy.model.container import END_OF_PATCH
from deploy.prices import AS_OF, price_of
from tests.deploy.cases import desired, settings
from workflow.errors import WorkflowError

REFUSED = WorkflowError("AccessDenied", "You may not ask.", "Ask somebody.")


def found(
    topic: str,
    *,
    denied: Any = (),
    quotas: Mapping[str, float] | WorkflowError | None = None,
    at_once: int | WorkflowError = 1000,
    today: date = END_OF_PATCH,
    **changes: Any,
) -> PreflightFinding:
    resources = desired(**changes)
    plenty = dict.fromkeys(quota_names(resources), 4.0)
    account = CheckedAccount(
        denied=denied, quotas=plenty if quotas is None else quotas, lambda_at_once=at_once
    )
    seen = collect_findings(settings(**changes), resources, account, today=today)
    assert all(one.remedy for one in seen if one.level is not PreflightLevel.OK)
    return next(one for one in seen if topic in one.topic)


def test_nothing_is_in_the_way_of_an_account_that_allows_everything() -> None:
    topics = ("region", "names", "permissions", "quota", "Lambda", "image", "price")

    assert {found(topic).level for topic in topics} == {PreflightLevel.OK}


@pytest.mark.parametrize(
    ("topic", "given_", "level", "says"),
    [
        ("region", {"region": "eu-west-9"}, PreflightLevel.WARNING, "does not know"),
        ("permissions", {"denied": ["iam:CreateRole"]}, PreflightLevel.PROBLEM, "iam:CreateRole"),
        ("permissions", {"denied": REFUSED}, PreflightLevel.UNKNOWN, "You may not ask"),
        (
            "endpoint usage",
            {"quotas": {"ml.m5.large for endpoint usage": 0}},
            PreflightLevel.PROBLEM,
            "0",
        ),
        (
            "endpoint usage",
            {"quotas": {"ml.m5.large for endpoint usage": 1}},
            PreflightLevel.WARNING,
            "upd",
        ),
        ("endpoint usage", {"quotas": {}}, PreflightLevel.UNKNOWN, "lists no such quota"),
        ("endpoint usage", {"quotas": REFUSED}, PreflightLevel.UNKNOWN, "You may not ask"),
        (
            "training job",
            {"quotas": {}, "training_data": "s3://data/images"},
            PreflightLevel.UNKNOWN,
            "no such",
        ),
        ("Lambda", {"at_once": 10}, PreflightLevel.WARNING, "at most 10"),
        ("Lambda", {"at_once": REFUSED}, PreflightLevel.UNKNOWN, "You may not ask"),
        ("image", {"today": date(2036, 1, 1)}, PreflightLevel.WARNING, "not patched it since"),
        ("price", {"instance_type": "ml.c9.large"}, PreflightLevel.UNKNOWN, "unknown"),
    ],
)
def test_each_finding_says_what_it_is(
    topic: str, given_: dict[str, Any], level: PreflightLevel, says: str
) -> None:
    finding = found(topic, **given_)

    assert finding.level is level
    assert says in finding.says


def test_what_stands_in_the_way_comes_first() -> None:
    account = CheckedAccount(denied=["iam:CreateRole"], quotas=REFUSED, lambda_at_once=10)

    levels = [
        one.level for one in collect_findings(settings(), desired(), account, today=END_OF_PATCH)
    ]

    assert levels == sorted(levels, key=list(reversed(PreflightLevel)).index)
    assert levels[0] is PreflightLevel.PROBLEM


def test_the_price_is_that_of_the_instance_and_the_alarms() -> None:
    price = price_of(desired(), "us-east-1")

    assert price.monthly_usd == pytest.approx(0.115 * 730 + 0.8)
    assert AS_OF in price.says
    assert "Not included" in price.says


def test_an_endpoint_that_exists_costs_this_deployment_nothing() -> None:
    assert price_of(desired(existing_endpoint="theirs"), "us-east-1").monthly_usd == 0.8


@pytest.mark.parametrize(
    ("region", "changes"), [("eu-west-1", {}), ("us-east-1", {"instance_type": "ml.x9.large"})]
)
def test_what_the_table_does_not_have_is_unknown_and_never_reckoned(
    region: str, changes: dict[str, Any]
) -> None:
    price = price_of(desired(**changes), region)

    assert price.monthly_usd is None
    assert "unknown" in price.says
    assert "pricing" in price.says


def test_training_is_told_as_what_it_costs_once() -> None:
    assert "Training once" in price_of(desired(training_data="s3://data/images"), "us-east-1").says
