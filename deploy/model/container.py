"""Container: the image of the CPU PyTorch inference container that runs ``inference.py`` on AWS."""

import functools
from datetime import date

from workflow.errors import WorkflowError

VERSION = "2.6.0"
PYTHON = "py312"
PYTHON_VERSION = "3.12"
END_OF_PATCH = date(2026, 6, 30)
"""The last PyTorch image with a model server: AWS publishes no newer one (docs/aws.md)."""

# Regions whose images lie in AWS's one general registry: they need no 4-second import to find it.
# Source: the account table of docs.aws.amazon.com/deep-learning-containers (Available images);
# a test compares it with sagemaker.core.image_uris.
_GENERAL_REGISTRY = "763104351884"
_GENERAL_REGIONS = frozenset(
    {
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    }
)


@functools.cache
def container_image(region: str) -> str:
    """Return the URI of the container image in a region.

    Raises:
        WorkflowError: ``RegionUnsupported`` where AWS publishes no such image that we know of.
    """
    if region in _GENERAL_REGIONS:
        repository = f"{_GENERAL_REGISTRY}.dkr.ecr.{region}.amazonaws.com/pytorch-inference"
        return f"{repository}:{VERSION}-cpu-{PYTHON}"
    return published_image(region)


def published_image(region: str) -> str:
    """Return the URI as the SageMaker SDK knows it; see ``container_image``."""
    # Imported here: it takes seconds and few regions need it.
    from sagemaker.core import image_uris  # noqa: PLC0415

    try:
        uri = image_uris.retrieve(
            "pytorch",
            region,
            version=VERSION,
            py_version=PYTHON,
            image_scope="inference",
            instance_type="ml.m5.large",
        )
    except ValueError as error:
        raise WorkflowError(
            "RegionUnsupported",
            f"The SageMaker SDK knows no PyTorch inference container in {region}.",
            "Choose another region, upgrade the sagemaker package, or use --endpoint.",
        ) from error
    return str(uri)
