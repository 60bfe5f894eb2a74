"""Service Quotas: what an account may have at once of what SageMaker offers."""

from collections.abc import Iterable

from deploy.providers.clients import Aws


def sagemaker_quotas(aws: Aws, names: Iterable[str]) -> dict[str, float]:
    """Return the account's SageMaker quotas with these names; those that AWS does not list lack.

    Args:
        aws: Whose account and region.
        names: Such as ``ml.m5.large for endpoint usage``.
    """
    wanted, found = set(names), dict[str, float]()
    pages = aws.quotas.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    for page in pages:
        for quota in page["Quotas"]:
            if quota.get("QuotaName") in wanted:
                found[quota["QuotaName"]] = quota["Value"]
        if wanted <= found.keys():
            break
    return found
