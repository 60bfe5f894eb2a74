"""Applying converges: after any interruption, to any wish, and without touching what is others'."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from deploy import stack
from deploy.apply import Applied, Event, Failed, Started, StepProgress, apply
from deploy.cloud import Observed, RefusedError
from deploy.package import Artifacts
from deploy.plan import Op, Plan, make_plan, plan_deletion
from deploy.resources import (
    BucketContents,
    CloudResource,
    Function,
    IamRole,
    Key,
    SageMakerEndpoint,
    StorageBucket,
)
from tests.deploy.cases import artifacts, desired, settings
from tests.deploy.fake_cloud import CutOff, FakeCloud, existing_endpoint
from workflow.errors import WorkflowError
from workflow.settings import Settings

Wish: TypeAlias = tuple[Settings, Artifacts]
wishes = st.builds(
    lambda how, threshold, code, email: (
        settings(threshold=threshold, alarm_email=email, **how),
        artifacts(code=code),
    ),
    st.sampled_from(
        [
            {},
            {"instance_type": "ml.c5.large"},
            {"sampling_percentage": 50},
            {"existing_endpoint": "theirs"},
            {"training_data": "s3://data/x"},
        ]
    ),
    st.sampled_from([0.8, 0.93]),
    st.sampled_from(["1", "2"]),
    st.sampled_from([None, "a@example.com"]),
)


def planned(cloud: FakeCloud, resources: Sequence[CloudResource], owner: Settings) -> Plan:
    """What the facade plans, without the facade."""
    keys = dict.fromkeys((*(one.key for one in resources), *stack.stack_keys(owner), *cloud.find()))
    observed = {key: seen for key in keys if (seen := cloud.read(key)) is not None}
    return make_plan(resources, observed, owner=owner.tags)


def run(cloud: FakeCloud, resources: Sequence[CloudResource]) -> list[Event]:
    return list(apply(planned(cloud, resources, settings()), cloud))


def ops(plan: Plan) -> set[Op]:
    return {action.op for action in plan.actions}


@examples(deadline=None)
@given(wishes)
def test_a_second_plan_keeps_everything_and_writes_nothing(wish: Wish) -> None:
    cloud = FakeCloud(store=existing_endpoint("theirs"))
    resources = stack.build_stack(*wish)
    run(cloud, resources)
    cloud.log.clear()

    assert ops(planned(cloud, resources, wish[0])) == {Op.KEEP}
    events = run(cloud, resources)
    assert not cloud.log
    assert {event.op for event in events if isinstance(event, Applied)} == {Op.KEEP}


@examples(deadline=None)
@given(st.lists(st.tuples(wishes, st.integers(0, 70)), min_size=1, max_size=4))
def test_whatever_was_interrupted_wherever_the_last_apply_finishes_it(
    runs: list[tuple[Wish, int]],
) -> None:
    cloud = FakeCloud(store=existing_endpoint("theirs"))
    for wish, writes in runs:
        cloud.cut_off_after = writes
        try:
            run(cloud, stack.build_stack(*wish))
        except CutOff:
            cloud.held = False
    cloud.cut_off_after = None
    last = runs[-1][0]

    events = run(cloud, stack.build_stack(*last))

    assert not [event for event in events if isinstance(event, Failed)]
    assert ops(planned(cloud, stack.build_stack(*last), last[0])) == {Op.KEEP}


@examples(deadline=None)
@given(wishes, st.integers(0, 30))
def test_destroy_reverses_apply_even_when_interrupted(wish: Wish, writes: int) -> None:
    cloud = FakeCloud(store=existing_endpoint("theirs"))
    run(cloud, stack.build_stack(*wish))
    for limit in (writes, None):
        cloud.cut_off_after = limit
        try:
            list(apply(deletion(cloud), cloud))
        except CutOff:
            cloud.held = False

    # What AWS deletes with its parent, and what is history, is left to AWS.
    left = {key.kind for key in cloud.store} - {"s3.object", "sns.subscription"}
    assert left <= {"sagemaker.existing-endpoint", "sagemaker.training-job"}


def deletion(cloud: FakeCloud, empty_bucket: str | None = None) -> Plan:
    keys = (*stack.stack_keys(settings()), *cloud.find())
    return plan_deletion(
        {key: seen for key in keys if (seen := cloud.read(key)) is not None},
        owner=settings().tags,
        bucket=settings().bucket,
        empty_bucket=empty_bucket,
    )


@examples(deadline=None)
@given(st.sets(st.sampled_from([one.key for one in desired() if one.tags]), min_size=1))
def test_what_others_made_under_our_names_is_never_touched(taken: set[Key]) -> None:
    theirs = {key: Observed(properties={}, tags={"project": "another"}) for key in taken}
    cloud = FakeCloud(store=dict(theirs))

    events = run(cloud, desired())

    assert cloud.store == theirs
    assert isinstance(events[-1], Failed)
    assert events[-1].error.code == "ResourceNotOwned"
    assert events[-1].error.remedy


@examples(deadline=None)
@given(st.sets(st.sampled_from([one.key for one in desired() if one.tags]), min_size=1))
def test_destroy_leaves_what_others_made_under_our_names(taken: set[Key]) -> None:
    theirs = {key: Observed(properties={}, tags={"project": "another"}) for key in taken}
    cloud = FakeCloud(store=dict(theirs))

    list(apply(deletion(cloud), cloud))

    assert cloud.store == theirs


def test_a_resource_taken_by_others_after_the_plan_is_left_alone() -> None:
    cloud = FakeCloud()
    made = planned(cloud, desired(), settings())
    bucket = Key(StorageBucket.KIND, settings().bucket)
    cloud.store[bucket] = Observed(properties={}, tags={})

    events = list(apply(made, cloud))

    assert isinstance(events[-1], Failed)
    assert events[-1].key == bucket
    assert not cloud.log


def test_a_deletion_of_what_changed_hands_is_not_done() -> None:
    cloud = FakeCloud()
    run(cloud, desired())
    made = deletion(cloud)
    role = next(action.key for action in made.actions if action.key.kind == IamRole.KIND)
    cloud.store[role] = Observed(properties={}, tags={"project": "another"})

    events = list(apply(made, cloud))

    assert role in cloud.store
    assert Applied(role, Op.KEEP, "It is not owned by this deployment.") in events


def test_a_deletion_of_what_is_gone_is_done() -> None:
    cloud = FakeCloud()
    run(cloud, desired())
    made = deletion(cloud)
    gone = made.actions[0].key
    del cloud.store[gone]

    assert Applied(gone, Op.KEEP, "It is already gone.") in list(apply(made, cloud))


def test_each_resource_is_started_then_progresses_then_is_applied() -> None:
    events = run(FakeCloud(), desired())

    first = events[:4]
    assert [type(event) for event in first] == [Started, StepProgress, StepProgress, Applied]
    started = [event for event in events if isinstance(event, Started)]
    assert [event.index for event in started] == list(range(1, len(started) + 1))
    assert {event.total for event in started} == {len(started)}


def test_a_failure_is_the_last_event_and_the_next_apply_goes_on_from_there() -> None:
    error = WorkflowError("ResourceLimitExceeded", "No instance left.", "Ask for more.")
    cloud = FakeCloud(refuse={SageMakerEndpoint.KIND: error})

    events = run(cloud, desired())

    assert events[-1] == Failed(Key(SageMakerEndpoint.KIND, settings().prefix), error)
    assert not cloud.held
    made = {key for _, key in cloud.log}
    cloud.refuse = {}
    cloud.log.clear()
    run(cloud, desired())
    assert not made & {key for _, key in cloud.log}


def test_the_lock_is_given_back_when_the_reader_goes_away() -> None:
    cloud = FakeCloud()
    events: Any = apply(planned(cloud, desired(), settings()), cloud)
    while not cloud.held:
        next(events)

    events.close()

    assert not cloud.held


def test_a_lock_that_cannot_be_given_back_does_not_hide_the_outcome() -> None:
    class Stuck(FakeCloud):
        def release(self) -> None:
            raise WorkflowError("Throttling", "Not now.", "Wait.")

    events = run(Stuck(), desired())

    assert isinstance(events[-1], Applied)


def test_nothing_is_written_with_a_reference_that_has_no_value() -> None:
    """A topic that is not ready yet tells no ARN to the alarms that write to it."""
    cloud = FakeCloud()
    run(cloud, desired())
    (topic,) = (key for key in cloud.store if key.kind == "sns.topic")
    cloud.store[topic] = replace(cloud.store[topic], outputs={})
    for key in [key for key in cloud.store if key.kind == "cloudwatch.alarm"]:
        del cloud.store[key]

    events = run(cloud, desired())

    assert isinstance(events[-1], Failed)
    assert events[-1].error.code == "ReferenceUnknown"
    assert "needs the arn" in events[-1].error.message
    assert "${ref" not in str(cloud.store)


def test_a_bucket_with_data_is_kept_and_said_so() -> None:
    cloud = FakeCloud()
    run(cloud, desired())
    fill(cloud)

    events = list(apply(deletion(cloud), cloud))

    bucket = Key(StorageBucket.KIND, settings().bucket)
    assert list(cloud.store) == [key for key in cloud.store if key.kind.startswith("s3.")]
    kept = next(e for e in events if isinstance(e, Applied) and e.key == bucket)
    assert kept.op is Op.KEEP
    assert "images/" in kept.message


def test_a_bucket_named_by_the_user_is_emptied_and_deleted() -> None:
    cloud = FakeCloud()
    run(cloud, desired())
    fill(cloud)

    list(apply(deletion(cloud, empty_bucket=settings().bucket), cloud))

    assert [key.kind for key in cloud.store] == ["s3.object"]
    assert [kind for _, kind in cloud.log][-2:] == [
        Key(BucketContents.KIND, settings().bucket),
        Key(StorageBucket.KIND, settings().bucket),
    ]


def test_a_bucket_that_is_not_the_deployments_cannot_be_named() -> None:
    with pytest.raises(WorkflowError, match="The bucket of this deployment is"):
        deletion(FakeCloud(), empty_bucket="another-bucket")


def fill(cloud: FakeCloud) -> None:
    bucket = Key(StorageBucket.KIND, settings().bucket)
    seen = cloud.store[bucket]
    cloud.store[bucket] = Observed(
        properties=seen.properties, tags=seen.tags, outputs={"contents": "images/"}
    )
    cloud.store[Key(BucketContents.KIND, settings().bucket)] = Observed(properties={})


def test_a_change_that_shows_late_is_waited_for() -> None:
    class Late(FakeCloud):
        shown = False

        def read(self, key: Key) -> Observed | None:
            seen = super().read(key)
            return seen if self.shown or not self.log else None

        def pause(self, seconds: float) -> None:
            self.shown = True

    events = run(Late(), desired()[:1])

    assert isinstance(events[-1], Applied)
    assert any("Waiting until the change shows" in getattr(e, "message", "") for e in events)


def test_a_role_that_an_earlier_run_created_is_waited_for() -> None:
    class Unaware(FakeCloud):
        aware = False

        def create(self, resource: CloudResource) -> Iterator[str]:
            if isinstance(resource, Function) and not self.aware:
                message = "The role defined for the function cannot be assumed by Lambda."
                raise RefusedError("InvalidParameterValueException", message, "", said=message)
            yield from super().create(resource)

        def pause(self, seconds: float) -> None:
            self.aware = True

    cloud = Unaware()
    cloud.aware = True
    run(cloud, desired())
    cloud.store = {key: seen for key, seen in cloud.store.items() if key.kind != Function.KIND}
    cloud.aware = False

    events = run(cloud, desired())

    assert isinstance(events[-1], Applied)
    assert any("accepts the new" in getattr(event, "message", "") for event in events)


def test_a_change_that_never_shows_is_a_failure() -> None:
    class Forgetful(FakeCloud):
        def read(self, key: Key) -> Observed | None:
            return None

    events = run(Forgetful(), desired()[:1])

    assert isinstance(events[-1], Failed)
    assert events[-1].error.code == "NotConverged"


def test_what_is_beyond_repair_is_deleted_and_created_anew() -> None:
    cloud = FakeCloud()
    run(cloud, desired())
    endpoint = Key(SageMakerEndpoint.KIND, settings().prefix)
    broken = cloud.store[endpoint]
    cloud.store[endpoint] = Observed(
        properties={**broken.properties, "status": "Failed"},
        tags=broken.tags,
        failure="It is Failed: no capacity",
    )
    cloud.log.clear()

    run(cloud, desired())

    assert cloud.log == [("delete", endpoint), ("create", endpoint)]
