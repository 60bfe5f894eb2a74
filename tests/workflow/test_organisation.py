"""What an organisation prescribes is read from variables, and nonsense is refused."""

import pytest

from workflow.errors import WorkflowError
from workflow.organisation import Organisation

ROLE = "arn:aws:iam::123456789012:role/teams/vans"
GOOD = {
    "SCONES_ROLES": f"serialize={ROLE}, states={ROLE}",
    "SCONES_ROLE_PATH": "/teams/vans/",
    "SCONES_PERMISSIONS_BOUNDARY": "arn:aws-cn:iam::123456789012:policy/bounds",
    "SCONES_TAGS": "cost-center=42,team=vans",
    "SCONES_KMS_KEY": "arn:aws:kms:eu-west-1:123456789012:key/1-2",
    "SCONES_SUBNETS": "subnet-0bbbbbbb,subnet-0aaaaaaa",
    "SCONES_SECURITY_GROUPS": "sg-0aaaaaaa",
}


def test_nothing_is_prescribed_by_default() -> None:
    assert Organisation.from_env({}) == Organisation()


def test_reads_every_variable() -> None:
    found = Organisation.from_env(GOOD)

    assert found.roles == {"serialize": ROLE, "states": ROLE}
    assert found.role_path == "/teams/vans/"
    assert found.permissions_boundary == GOOD["SCONES_PERMISSIONS_BOUNDARY"]
    assert found.tags == {"cost-center": "42", "team": "vans"}
    assert found.kms_key == GOOD["SCONES_KMS_KEY"]
    assert found.subnets == ("subnet-0aaaaaaa", "subnet-0bbbbbbb")
    assert found.security_groups == ("sg-0aaaaaaa",)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SCONES_ROLES", ROLE),
        ("SCONES_ROLES", f"painter={ROLE}"),
        ("SCONES_ROLES", "serialize=vans"),
        ("SCONES_ROLE_PATH", "teams"),
        ("SCONES_PERMISSIONS_BOUNDARY", "bounds"),
        ("SCONES_TAGS", "vans"),
        ("SCONES_KMS_KEY", "alias/vans"),
        ("SCONES_SUBNETS", "vpc-0aaaaaaa"),
        ("SCONES_SUBNETS", ""),
        ("SCONES_SECURITY_GROUPS", ""),
    ],
)
def test_refuses_what_cannot_be_used_and_says_what_to_do(variable: str, value: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        Organisation.from_env({**GOOD, variable: value})

    assert caught.value.code == "SettingInvalid"
    assert caught.value.remedy
