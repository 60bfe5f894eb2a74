"""Resources are data: their properties, their references and the keys people read."""

from deploy.resources import (
    CREATION_ORDER,
    Alias,
    Function,
    IamRole,
    Key,
    LogGroup,
    Ref,
    StateMachine,
)
from tests.deploy.cases import desired

ROLE = Key(IamRole.KIND, "a-role")
GROUP = Key(LogGroup.KIND, "/aws/lambda/f")


def test_a_key_reads_as_kind_and_name() -> None:
    assert str(ROLE) == "iam.role/a-role"


def test_a_reference_is_filled_in_once_its_value_is_known() -> None:
    alias = Alias(name="m/live", version=Ref(Key(StateMachine.KIND, "m"), "version_arn"))

    known = alias.resolved({Key(StateMachine.KIND, "m"): {"version_arn": "arn:m:3"}})

    assert known.version == "arn:m:3"
    assert alias.resolved({}) == alias


def test_references_are_found_inside_documents() -> None:
    machine = StateMachine(
        name="m",
        definition={"States": {"A": {"Resource": f"x {Ref(ROLE, 'arn')} y"}}},
        role=Ref(ROLE, "arn"),
        log_group=Ref(GROUP, "arn"),
        log_level="ERROR",
    )

    assert machine.refs() == ((ROLE, "arn"), (GROUP, "arn"))
    assert machine.resolved({ROLE: {"arn": "R"}}).definition["States"]["A"]["Resource"] == "x R y"


def test_what_is_only_uploaded_is_not_compared() -> None:
    function = next(one for one in desired() if isinstance(one, Function))

    assert not {"archive", "name", "tags"} & function.properties().keys()
    assert "code_sha256" in function.properties()
    assert "archive" not in repr(function)


def test_a_first_version_gets_all_traffic() -> None:
    assert Alias(name="m/live", version="v1", weight=10).wanted(None)["weight"] == 100


def test_a_new_version_gets_its_share() -> None:
    alias = Alias(name="m/live", version="v2", weight=10)

    assert alias.wanted({"version": "v1", "weight": 100})["weight"] == 10


def test_a_shift_never_goes_back_by_itself() -> None:
    alias = Alias(name="m/live", version="v2", weight=10)

    assert alias.wanted({"version": "v2", "weight": 50})["weight"] == 50
    assert alias.wanted({"version": "v2", "weight": 100})["weight"] == 100


def test_every_kind_has_its_place_and_a_name_of_its_own() -> None:
    kinds = [kind.KIND for kind in CREATION_ORDER]

    assert len(set(kinds)) == len(kinds)
    assert len({kind.TITLE for kind in CREATION_ORDER}) == len(kinds)
