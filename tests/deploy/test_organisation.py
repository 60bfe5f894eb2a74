"""What an organisation prescribes reaches every resource that it is about."""

from typing import Any

from deploy import deployment
from deploy.apply import Failed
from deploy.plan import Op
from deploy.resources import CloudResource, Function, IamRole, SageMakerModel, StorageBucket
from deploy.template import make_template
from tests.deploy.cases import desired, settings
from tests.deploy.conftest import Account
from workflow.organisation import Organisation

ROLE = "arn:aws:iam::123456789012:role/teams/vans"
BOUNDARY = "arn:aws:iam::123456789012:policy/bounds"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1-2"
VPC: dict[str, Any] = {"subnets": ("subnet-0aaaaaaa",), "security_groups": ("sg-0aaaaaaa",)}


def every(kind: type[CloudResource], **prescribed: Any) -> list[Any]:
    stack = desired(organisation=Organisation(**prescribed))
    return [one for one in stack if isinstance(one, kind)]


def actions(role: IamRole) -> str:
    return str([one["Action"] for one in role.policy["Statement"]])


def test_an_existing_role_is_used_and_not_created() -> None:
    roles = dict.fromkeys(("serialize", "states", "sagemaker"), ROLE)

    assert len(every(IamRole, roles=roles)) == 2
    assert [one.role == ROLE for one in every(Function, roles=roles)] == [True, False, False]
    assert every(SageMakerModel, roles=roles)[0].role == ROLE


def test_roles_have_their_path_and_their_boundary() -> None:
    made = every(IamRole, role_path="/teams/", permissions_boundary=BOUNDARY)

    assert {(one.path, one.boundary) for one in made} == {("/teams/", BOUNDARY)}


def test_more_tags_are_set_and_do_not_decide_who_owns() -> None:
    owner = settings(organisation=Organisation(tags={"team": "vans", "stage": "mine"}))

    assert owner.tags == {**settings().tags, "team": "vans"}
    assert owner.owner == settings().owner


def test_a_key_encrypts_the_bucket_and_those_who_read_may_use_it() -> None:
    (bucket,) = every(StorageBucket, kms_key=KEY)
    may = [one for one in every(IamRole, kms_key=KEY) if "kms:Decrypt" in actions(one)]

    assert (bucket.encryption, bucket.kms_key) == ("aws:kms", KEY)
    assert len(may) == 3


def test_functions_and_model_are_in_the_vpc_and_may_use_it() -> None:
    placed = [*every(Function, **VPC), *every(SageMakerModel, **VPC)]
    may = [one for one in every(IamRole, **VPC) if "ec2:CreateNetworkInterface" in actions(one)]

    assert {one.subnets for one in placed} == {("subnet-0aaaaaaa",)}
    assert len(may) == 4


def test_without_prescriptions_models_keep_their_names() -> None:
    assert (
        every(SageMakerModel)[0].name
        == next(one for one in desired() if isinstance(one, SageMakerModel)).name
    )
    assert every(SageMakerModel, **VPC)[0].name != every(SageMakerModel)[0].name


def test_all_of_it_is_in_the_template() -> None:
    organisation = Organisation(
        role_path="/teams/", permissions_boundary=BOUNDARY, kms_key=KEY, **VPC
    )
    text = str(
        make_template(desired(organisation=organisation), settings(organisation=organisation))
    )

    for prescribed in ("/teams/", BOUNDARY, KEY, "subnet-0aaaaaaa", "sg-0aaaaaaa"):
        assert prescribed in text


def test_it_is_deployed_kept_and_changed(account: Account) -> None:
    first = settings(
        organisation=Organisation(permissions_boundary=BOUNDARY, kms_key=KEY, tags={"team": "vans"})
    )
    for owner in (first, settings(organisation=Organisation(role_path="/teams/"))):
        plan = deployment.observe_and_plan(owner, account.session)
        events = list(deployment.apply(plan, owner, account.session))
        assert not [event for event in events if isinstance(event, Failed)]
        again = deployment.observe_and_plan(owner, account.session)
        assert {action.op for action in again.actions} == {Op.KEEP}
