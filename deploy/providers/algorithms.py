"""SageMaker's built-in algorithms: where their container images lie."""

from workflow.errors import WorkflowError


def training_image(region: str) -> str:
    """Return the URI of SageMaker's built-in image-classification algorithm in a region.

    Raises:
        WorkflowError: ``ImageUnknown`` where SageMaker does not offer it there.
    """
    from sagemaker.core import image_uris  # noqa: PLC0415 - takes seconds to import; only here

    try:
        uri: str = image_uris.retrieve("image-classification", region)
    except (ValueError, KeyError) as error:
        raise WorkflowError(
            "ImageUnknown",
            f"SageMaker's image-classification algorithm is not known in {region}: {error}.",
            "Choose another region, or deploy without --train.",
        ) from error
    return uri
