"""The container image: our table agrees with the SageMaker SDK, which knows the other regions."""

import re
import sys
from pathlib import Path

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


def test_the_default_is_the_newest_image_that_the_sdk_knows() -> None:
    from sagemaker.core import image_uris  # noqa: PLC0415 - a slow import

    versions = image_uris.config_for_framework("pytorch")["inference"]["versions"]
    newest = max(versions, key=lambda version: [int(part) for part in version.split(".")])

    assert newest == container.VERSION
    assert versions[newest]["py_versions"] == [container.PYTHON]
    assert f"py{container.PYTHON_VERSION.replace('.', '')}" == container.PYTHON


def test_the_document_lists_the_images_newest_first_with_their_dates() -> None:
    document = (Path(__file__).parents[3] / "docs/aws.md").read_text()
    rows = re.findall(
        r"^\| (\d\.\d\.\d)(.*?) \| [\d.]+ \| (\S+) \| (\S+) \|$", document, re.MULTILINE
    )

    assert rows[0][0] == container.VERSION
    assert rows[0][1] == ", the default"
    assert rows[0][3] == container.END_OF_PATCH.isoformat()
    assert [row[2] for row in rows] == sorted((row[2] for row in rows), reverse=True)
