"""The container image: our table agrees with the SageMaker SDK, which knows the other regions."""

import sys

import pytest

from deploy.model import container
from deploy.model.container import container_image, published_image
from workflow.errors import WorkflowError

# The SDK warns of its own code when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_every_region_of_our_table_is_what_the_sdk_says() -> None:
    for region in sorted(container._GENERAL_REGIONS):
        assert container_image(region) == published_image(region)


def test_a_region_with_a_registry_of_its_own_is_asked_of_the_sdk() -> None:
    assert container_image("cn-north-1").endswith(
        ".dkr.ecr.cn-north-1.amazonaws.com.cn/pytorch-inference:2.6.0-cpu-py312"
    )


def test_the_usual_regions_do_without_the_slow_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sagemaker", None)
    container_image.cache_clear()
    assert container_image("us-east-1").endswith(
        ".dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.6.0-cpu-py312"
    )


def test_an_unknown_region_is_named_with_a_remedy() -> None:
    with pytest.raises(WorkflowError, match=r"nowhere-1.*another region") as failure:
        container_image("xx-nowhere-1")
    assert failure.value.code == "RegionUnsupported"
