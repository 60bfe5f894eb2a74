"""A model that was promoted stays, unless the settings name another than the last plan did."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from deploy import stack
from deploy.apply import Failed, apply
from deploy.cloud import Observed
from deploy.plan import make_plan
from deploy.promotion import SERVES, VARIANTS, keep_promoted
from deploy.resources import EndpointConfig, Key, SageMakerEndpoint, SageMakerModel
from tests.deploy.cases import artifacts, settings
from tests.deploy.fake_cloud import FakeCloud

LETTERS = "abc"
NAMES = {
    letter: next(
        one.name
        for one in stack.build_stack(settings(), artifacts(model=letter))
        if isinstance(one, SageMakerModel)
    )
    for letter in LETTERS
}


@dataclass
class Life:
    """An account whose endpoint is deployed and rolled out to, in turn."""

    cloud: FakeCloud = field(default_factory=FakeCloud)
    applied: str = ""
    rollouts: int = 0

    @property
    def endpoint(self) -> Key:
        return Key(SageMakerEndpoint.KIND, settings().endpoint)

    @property
    def serves(self) -> list[str]:
        return self.cloud.store[self.endpoint].outputs[SERVES].split()

    def apply(self, letter: str, sampling: int = 100) -> str:
        """Plan and apply as the facade does; return what is kept."""
        own = settings(sampling_percentage=sampling)
        desired = stack.build_stack(own, artifacts(model=letter))
        keys = dict.fromkeys(
            (*(one.key for one in desired), *stack.stack_keys(own), *self.cloud.find())
        )
        seen = {key: one for key in keys if (one := self.cloud.read(key)) is not None}
        wanted, kept = keep_promoted(desired, seen, own)
        made = make_plan(wanted, seen, owner=own.owner)
        events = list(apply(made, self.cloud))
        assert not [one for one in events if isinstance(one, Failed)]
        self.applied = letter
        return kept

    def serve(self, *models: str, config: str) -> None:
        seen = self.cloud.store[self.endpoint]
        self.cloud.store[self.endpoint] = replace(
            seen,
            properties={**seen.properties, "config": config},
            outputs={**seen.outputs, SERVES: " ".join(models)},
        )

    def begin(self, letter: str) -> None:
        """Roll out a model beside the one that serves, as the Rollout page does."""
        (before,) = self.serves
        live = Key(EndpointConfig.KIND, str(self.cloud.store[self.endpoint].properties["config"]))
        self.rollouts += 1
        name = f"{settings().prefix}-{self.rollouts:012x}"
        self.cloud.store[Key(EndpointConfig.KIND, name)] = self.cloud.store[live]
        self.serve(before, NAMES[letter], config=name)

    def end(self, place: int) -> None:
        """Give all traffic to the model at a place: 0 rolls back, 1 promotes."""
        config = str(self.cloud.store[self.endpoint].properties["config"])
        self.serve(self.serves[place], config=config)


@pytest.fixture
def promoted() -> Life:
    """Model b was made beside a, rolled out and promoted; the settings still name a."""
    life = Life()
    life.apply("b")
    life.apply("a")
    life.begin("b")
    life.end(1)
    return life


steps = st.lists(
    st.tuples(
        st.sampled_from(["apply", "apply", "begin", "promote", "roll back"]),
        st.sampled_from(LETTERS),
        st.sampled_from([50, 100]),
    ),
    max_size=12,
)


@examples(deadline=None, max_examples=60)
@given(steps)
def test_a_plan_changes_the_model_that_serves_only_where_the_settings_name_another(
    done: list[tuple[str, str, int]],
) -> None:
    life = Life()
    for letter in reversed(LETTERS):
        life.apply(letter)

    for step, letter, sampling in done:
        before, applied = life.serves, life.applied
        match step:
            case "apply":
                kept = life.apply(letter, sampling)
                same = letter == applied
                assert life.serves == (before if same else [NAMES[letter]])
                assert bool(kept) == (same and before != [NAMES[letter]])
                assert all(
                    Key(SageMakerModel.KIND, name) in life.cloud.store for name in life.serves
                )
                config = str(life.cloud.store[life.endpoint].properties["config"])
                assert Key(EndpointConfig.KIND, config) in life.cloud.store
                life.cloud.log.clear()
                life.apply(letter, sampling)
                assert life.cloud.log == []
            case "begin" if (
                len(before) == 1 and Key(SageMakerModel.KIND, NAMES[letter]) in life.cloud.store
            ):
                if before != [NAMES[letter]]:
                    life.begin(letter)
            case "promote" | "roll back" if len(before) == 2:
                life.end(int(step == "promote"))


def test_a_promoted_model_is_served_with_the_other_properties_of_the_settings(
    promoted: Life,
) -> None:
    kept = promoted.apply("a", sampling=50)

    assert kept.startswith(f"Kept: the promoted model {NAMES['b']}.")
    endpoint = promoted.cloud.store[promoted.endpoint].properties
    config = promoted.cloud.store[Key(EndpointConfig.KIND, str(endpoint["config"]))].properties
    assert (config["model"], config["sampling_percentage"]) == (NAMES["b"], 50)
    assert endpoint["applied_model"] == NAMES["a"]


def test_a_model_without_our_tags_is_served_on_by_its_name(promoted: Life) -> None:
    key = Key(SageMakerModel.KIND, NAMES["b"])
    promoted.cloud.store[key] = replace(promoted.cloud.store[key], tags={})

    assert promoted.apply("a")

    assert promoted.serves == [NAMES["b"]]


def test_an_endpoint_without_the_tag_goes_by_its_first_variant(promoted: Life) -> None:
    seen = promoted.cloud.store[promoted.endpoint]
    bare = {**seen.properties, "applied_model": ""}
    promoted.cloud.store[promoted.endpoint] = replace(
        seen, properties=bare, outputs={**seen.outputs, SERVES: f"{NAMES['a']} {NAMES['b']}"}
    )

    assert promoted.apply("a").startswith(f"Kept: the rollout of {NAMES['b']}")


def test_an_endpoint_that_has_failed_is_made_again_from_the_settings(promoted: Life) -> None:
    seen = promoted.cloud.store[promoted.endpoint]
    promoted.cloud.store[promoted.endpoint] = replace(seen, failure="It is Failed: why")

    assert promoted.apply("a") == ""

    assert promoted.serves == [NAMES["a"]]
    assert ("delete", promoted.endpoint) in promoted.cloud.log


@pytest.mark.parametrize(("variants", "moved"), [("1", False), ("2", True)])
@pytest.mark.parametrize("letter", ["a", "b"])
def test_a_configuration_of_a_rollout_that_is_as_wanted_is_left_in_place(
    promoted: Life, letter: str, variants: str, *, moved: bool
) -> None:
    key = Key(EndpointConfig.KIND, f"{settings().prefix}-{99:012x}")
    of_a = next(
        one for one in stack.build_stack(settings(), artifacts()) if type(one) is EndpointConfig
    )
    promoted.cloud.store[key] = Observed(
        properties={**of_a.properties(), "model": NAMES[letter]},
        outputs={"name": key.name, VARIANTS: variants},
        tags=settings().owner,
    )
    promoted.serve(NAMES[letter], config=key.name)
    promoted.cloud.log.clear()

    kept = promoted.apply("a")

    assert promoted.serves == [NAMES[letter]]
    assert bool(kept) == (letter == "b")
    assert (("update", promoted.endpoint) in promoted.cloud.log) is moved
    assert bool(promoted.cloud.log) is moved
