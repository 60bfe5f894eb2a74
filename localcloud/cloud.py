"""Cloud: the services of one account in one region, and how they reach each other."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from localcloud import parameters
from localcloud.aws_like.conditions import Conditions
from localcloud.faults import Faults
from localcloud.moto_services import ACCOUNT, Moto
from localcloud.permissions import Permissions
from localcloud.quotas import Quotas
from localcloud.store import Store
from workflow.regions import partition_of, resource_arn

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.aws_like.account import Account
    from localcloud.credentials import Credentials
    from localcloud.service_protocols import (
        HoldsConditions,
        KeepsLogs,
        KeepsMetrics,
        KeepsObjects,
        Operates,
        PlaysStory,
        ServesModels,
        SpreadsMessages,
        TakesEvents,
        TakesMessages,
    )
    from localcloud.wire import Call, Params


class LocalCloud:
    """One account in one region, with everything in it; ``start_services`` adds the services.

    Args:
        directory: Where its state is kept.
        region: The region that its ARNs name.
        endpoint_url: Where it is served.
        credentials: What its callers sign with.
        allows: What the account allows, and how long things take in it.

    Attributes:
        allows: The same.
        conditions: What happens to calls where it is as unkind as AWS; None where it is kind.
        services: The services it has of its own, by botocore's names.
    """

    s3: KeepsObjects
    logs: KeepsLogs
    metrics: KeepsMetrics
    events: TakesEvents
    queues: TakesMessages
    topics: SpreadsMessages
    endpoints: ServesModels
    demonstration: PlaysStory
    lab: HoldsConditions

    def __init__(
        self,
        directory: Path,
        *,
        region: str,
        endpoint_url: str,
        credentials: Credentials,
        allows: Account,
    ) -> None:
        self.account = ACCOUNT
        self.region = region
        self.partition = partition_of(region).name
        self.endpoint_url = endpoint_url
        self.credentials = credentials
        self.store = Store(directory)
        if not self.store.disk.has_reserve():
            self.warn(str(self.store.disk.full_error()))
        self.faults = Faults()
        self.allows = allows
        self.quotas = Quotas(enabled=allows.quotas, region=region)
        names = {"partition": self.partition, "region": region, "account": self.account}
        self.conditions = Conditions(allows.aws_like, names) if allows.aws_like else None
        self.moto = Moto(self.store)
        self.permissions = Permissions(ACCOUNT)
        self.services: dict[str, Operates] = {}

    def call_operation(self, call: Call) -> Params:
        """Call an operation of another service, faults and quotas included.

        Raises:
            AwsError: As the service answers.
        """
        handler = self.services[call.service].find_operation(call.operation)
        assert handler is not None  # noqa: S101 - called with operations that exist
        if self.conditions is not None:
            self.conditions.check_call(call)
        self.admit_call(call)
        return handler(call)

    def admit_call(self, call: Call) -> None:
        """Refuse what the operation does not honour; then faults and quotas have their say."""
        # First: a call that is not implemented must use up neither a fault's count nor a token.
        parameters.check_parameters(call)
        self.faults.apply_to(call.service, call.operation)
        self.quotas.take_token(call.service, call.operation)

    def close(self) -> None:
        """End the children, deliver what is waiting, close the store."""
        for service in self.services.values():
            service.close()
        self.store.close()

    def build_arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource of this cloud."""
        return resource_arn(service, self.region, self.account, resource)

    def warn(self, message: str) -> None:
        """Say something to whoever runs the local cloud."""
        print(message, file=sys.stderr, flush=True)  # noqa: T201 - a server's log
