"""Service Quotas: how many instances a new account may have for SageMaker's endpoints and training.

An account without such limits leaves the service to moto.
"""

import hashlib

from localcloud import wire
from localcloud.service import Service, Unowned, paginate
from localcloud.wire import Call, Params

_USES = {
    "endpoint usage": "ProductionVariantInstanceType",
    "training job usage": "TrainingInstanceType",
}


class ServiceQuotas(Service):
    """The ``service-quotas`` service, as far as SageMaker's instances go."""

    name = "service-quotas"
    rest_is_motos = True

    def list_service_quotas(self, call: Call) -> Params:
        limit = self.cloud.allows.endpoint_instances
        if limit is None or call.params.get("ServiceCode") != "sagemaker":
            raise Unowned
        names = [
            f"{kind} for {use}" for use, shape in _USES.items() for kind in _instance_types(shape)
        ]
        p = call.params
        shown, token = paginate(names, p, size="MaxResults", token="NextToken", default=100)  # noqa: S106 - a paging token
        quotas = [self._build_quota(name, limit) for name in shown]
        return {"Quotas": quotas} | ({"NextToken": token} if token else {})

    def _build_quota(self, name: str, limit: int) -> Params:
        code = f"L-{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"
        return {
            "ServiceCode": "sagemaker",
            "ServiceName": "Amazon SageMaker",
            "QuotaCode": code,
            "QuotaName": name,
            "QuotaArn": self.cloud.build_arn("servicequotas", f"sagemaker/{code}"),
            "Value": float(limit),
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }


def _instance_types(shape: str) -> list[str]:
    return sorted(wire.values_of("sagemaker", shape))
