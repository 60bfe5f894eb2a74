"""A plan says what will happen to each resource, with its differences, before anything does."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from deploy.cloud import Observed
from deploy.plan import KNOWN_AFTER_APPLY, Action, Diff, Op, Plan, keep_endpoint, make_plan
from deploy.resources import (
    CREATION_ORDER,
    Alias,
    CloudResource,
    EndpointConfig,
    ExistingEndpoint,
    IamRole,
    Key,
    LogGroup,
    Ref,
    SageMakerEndpoint,
    SageMakerModel,
    StateMachine,
)
from tests.deploy.cases import desired

OWNER = {"project": "p", "stage": "dev"}
GROUP = LogGroup(name="/aws/lambda/f", tags=OWNER, retention_days=30)
MACHINE = StateMachine(
    name="m", tags=OWNER, definition={"StartAt": "A"}, role="R", log_group="G", log_level="ERROR"
)
ALIAS = Alias(name="m/live", tags=OWNER, version=Ref(MACHINE.key, "version_arn"))


def observed(resource: CloudResource, **changes: object) -> Observed:
    return Observed(
        properties={**resource.properties(), **changes},  # type: ignore[dict-item]
        outputs={"arn": "arn:m", "version_arn": "arn:m:1"},
        tags=OWNER,
    )


def action(resources: list[CloudResource], *seen: tuple[CloudResource, Observed]) -> Action:
    made = make_plan(resources, {one.key: two for one, two in seen}, owner=OWNER)
    return made.actions[-1]


def test_what_is_missing_is_created_with_all_its_properties() -> None:
    made = action([GROUP])

    assert (made.op, made.diffs) == (Op.CREATE, (Diff("retention_days", None, 30),))


def test_what_is_as_wanted_is_kept() -> None:
    made = action([GROUP], (GROUP, observed(GROUP)))

    assert (made.op, made.diffs) == (Op.KEEP, ())


def test_what_differs_is_updated_and_the_reason_names_it() -> None:
    made = action([GROUP], (GROUP, observed(GROUP, retention_days=None)))

    assert made.op is Op.UPDATE
    assert made.diffs == (Diff("retention_days", None, 30),)
    assert "retention_days" in made.reason


def test_a_property_that_is_there_but_empty_differs_from_one_that_is_absent() -> None:
    seen = Observed(properties={"retention_days": 30, "extra": None}, tags=OWNER)

    assert action([GROUP], (GROUP, seen)).diffs == (Diff("extra", None, None),)


def test_a_document_differs_at_the_path_that_changed() -> None:
    made = action([MACHINE], (MACHINE, observed(MACHINE, definition={"StartAt": "B", "X": [1]})))

    assert made.diffs == (
        Diff("definition.StartAt", "B", "A"),
        Diff("definition.X[0]", 1, None),
    )


def test_many_differences_are_counted_in_the_reason() -> None:
    seen = observed(MACHINE, definition={}, role="x", log_group="x", log_level="x")

    assert action([MACHINE], (MACHINE, seen)).reason.endswith("and 2 more.")


def test_a_value_that_only_an_update_will_make_is_shown_as_such() -> None:
    made = action(
        [MACHINE, ALIAS],
        (MACHINE, observed(MACHINE, role="other")),
        (ALIAS, observed(ALIAS, version="arn:m:1")),
    )

    assert made.op is Op.UPDATE
    assert made.diffs == (Diff("version", "arn:m:1", KNOWN_AFTER_APPLY),)


def test_a_value_that_stays_is_known_before() -> None:
    made = action(
        [MACHINE, ALIAS],
        (MACHINE, observed(MACHINE)),
        (ALIAS, observed(ALIAS, version="arn:m:1")),
    )

    assert made.op is Op.KEEP


def test_what_is_beyond_repair_is_replaced() -> None:
    endpoint = SageMakerEndpoint(name="e", tags=OWNER, config="c", applied_model="m")
    seen = Observed(
        properties={"config": "c", "applied_model": "m", "status": "Failed"},
        tags=OWNER,
        failure="It is Failed: why",
    )

    made = action([endpoint], (endpoint, seen))

    assert (made.op, made.reason) == (Op.REPLACE, "It is Failed: why")


def test_what_others_made_blocks_the_plan_with_a_remedy() -> None:
    seen = Observed(properties=GROUP.properties(), tags={"project": "another"})

    made = make_plan([GROUP], {GROUP.key: seen}, owner=OWNER)

    assert made.blocked[0].remedy
    assert "project=p" in made.blocked[0].reason
    assert not made.changes


def test_an_endpoint_to_be_used_must_exist() -> None:
    made = action([ExistingEndpoint(name="theirs")])

    assert made.op is Op.BLOCKED
    assert "theirs" in made.reason


def test_what_is_owned_and_no_longer_wanted_is_deleted_last_dependents_first() -> None:
    endpoint = SageMakerEndpoint(name="e", tags=OWNER, config="c", applied_model="m")

    made = make_plan(
        [GROUP], {one.key: observed(one) for one in (CONFIG, endpoint, GROUP)}, owner=OWNER
    )

    assert [(one.op, one.key.kind) for one in made.actions] == [
        (Op.KEEP, "logs.group"),
        (Op.DELETE, "sagemaker.endpoint"),
        (Op.DELETE, "sagemaker.endpoint-config"),
    ]


def earlier(count: int, **changes: object) -> dict[Key, Observed]:
    """Configurations of an hour each, the oldest first, all but the first two of one model."""
    found: dict[Key, Observed] = {}
    for hour in range(count):
        model = f"m{min(hour, 2)}"
        seen = Observed(
            properties={"model": model},
            tags=OWNER,
            created=datetime(2026, 11, 23, hour, tzinfo=UTC),
        )
        found[Key(EndpointConfig.KIND, f"c{hour}")] = replace(seen, **changes)  # type: ignore[arg-type]
        found[Key(SageMakerModel.KIND, model)] = Observed(properties={}, tags=OWNER)
    return found


CONFIG = EndpointConfig(
    name="now",
    tags=OWNER,
    model="m",
    variant="v",
    instance_type="i",
    sampling_percentage=100,
    capture_url="s3://b",
)


def test_earlier_configurations_are_retained_with_their_models_and_no_action() -> None:
    made = make_plan([CONFIG], {CONFIG.key: observed(CONFIG), **earlier(3)}, owner=OWNER)

    assert [(one.op, one.key.name) for one in made.actions] == [(Op.KEEP, "now")]
    assert [str(key) for key in made.retained] == [
        "sagemaker.endpoint-config/c2",
        "sagemaker.endpoint-config/c1",
        "sagemaker.endpoint-config/c0",
        "sagemaker.model/m2",
        "sagemaker.model/m1",
        "sagemaker.model/m0",
    ]


def test_of_more_than_ten_the_oldest_go_with_the_models_that_no_other_needs() -> None:
    made = make_plan([CONFIG], {CONFIG.key: observed(CONFIG), **earlier(12)}, owner=OWNER)

    assert [(one.op, one.key.name) for one in made.actions[1:]] == [
        (Op.DELETE, "c0"),
        (Op.DELETE, "c1"),
        (Op.DELETE, "m0"),
        (Op.DELETE, "m1"),
    ]
    assert len(made.retained) == 11


def test_an_endpoint_that_goes_takes_its_configurations_with_it() -> None:
    made = make_plan([GROUP], earlier(3), owner=OWNER)

    assert made.retained == ()
    assert len([one for one in made.actions if one.op is Op.DELETE]) == 6


def test_an_endpoint_that_is_kept_goes_on_with_what_it_serves_by() -> None:
    endpoint = SageMakerEndpoint(name="e", tags=OWNER, config="new", applied_model="m")
    before = EndpointConfig(
        name="before",
        tags=OWNER,
        model="m",
        variant="v",
        instance_type="t",
        sampling_percentage=100,
        capture_url="s3://b/c",
    )
    seen = {endpoint.key: observed(endpoint, config="before"), before.key: observed(before)}
    made = make_plan([GROUP, endpoint], seen, owner=OWNER)
    assert {one.op for one in made.actions} == {Op.CREATE, Op.UPDATE, Op.DELETE}

    kept = keep_endpoint(made)

    assert [one.key for one in kept.actions] == [GROUP.key]


def test_an_endpoint_that_is_missing_is_created_even_if_it_is_to_be_kept() -> None:
    endpoint = SageMakerEndpoint(name="e", tags=OWNER, config="new", applied_model="m")

    assert keep_endpoint(make_plan([endpoint], {}, owner=OWNER)).actions[0].op is Op.CREATE


def test_what_others_made_under_our_names_is_not_ours_to_retain() -> None:
    made = make_plan([CONFIG], earlier(3, tags={"project": "another"}), owner=OWNER)

    assert made.retained == ()
    assert {one.key.kind for one in made.actions if one.op is Op.DELETE} == {SageMakerModel.KIND}


def test_what_others_made_is_not_deleted() -> None:
    role = Key(IamRole.KIND, "theirs")

    made = make_plan([], {role: Observed(properties={}, tags={})}, owner=OWNER)

    assert made == Plan(actions=(), owner=OWNER)


def test_a_plan_is_json_with_counts() -> None:
    made = make_plan([MACHINE, ALIAS], {}, owner=OWNER)

    read = json.loads(json.dumps(made.to_json()))

    assert read["counts"]["CREATE"] == 2
    assert read["retained"] == []
    assert {**read["actions"][0], "diffs": [], "reason": ""} == {
        "op": "CREATE",
        "resource": "states.machine/m",
        "kind": MACHINE.TITLE,
        "name": "m",
        "reason": "",
        "remedy": "",
        "diffs": [],
    }
    assert {"path": "version", "before": None, "after": KNOWN_AFTER_APPLY} in read["actions"][1][
        "diffs"
    ]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"existing_endpoint": "theirs"},
        {"training_data": "s3://data/p"},
        {"alarm_email": "a@b.cc"},
    ],
    ids=str,
)
def test_kinds_are_deleted_in_an_order_in_which_none_is_needed_any_more(
    how: dict[str, str],
) -> None:
    rank = {kind.KIND: place for place, kind in enumerate(CREATION_ORDER)}

    for resource in desired(**how):
        for needed, _ in resource.refs():
            assert rank[needed.kind] < rank[resource.KIND], f"{resource.key} needs {needed}"
