"""Services: makes the services of a cloud and starts them."""

from localcloud.cloud import LocalCloud
from localcloud.demonstration.demonstration import CloudDemonstration
from localcloud.endpoint_runtime import EndpointRuntime
from localcloud.endpoints import Endpoints
from localcloud.events import Events
from localcloud.functions import Functions
from localcloud.lab import Lab
from localcloud.logs import Logs
from localcloud.metrics import Metrics
from localcloud.queues import Queues
from localcloud.s3.api import S3
from localcloud.service_quotas import ServiceQuotas
from localcloud.states.api import StepFunctions
from localcloud.topics import Topics


def start_services(cloud: LocalCloud) -> None:
    """Give a cloud its services, and let them go on where they were when the process ended."""
    cloud.moto.start()
    cloud.s3 = S3(cloud)
    cloud.logs = Logs(cloud)
    cloud.metrics = Metrics(cloud)
    cloud.events = Events(cloud)
    cloud.queues = Queues(cloud)
    cloud.topics = Topics(cloud)
    cloud.endpoints = Endpoints(cloud)
    made = (
        cloud.logs,
        cloud.metrics,
        cloud.events,
        cloud.queues,
        cloud.topics,
        cloud.endpoints,
        EndpointRuntime(cloud),
        Functions(cloud),
        ServiceQuotas(cloud),
        StepFunctions(cloud),
    )
    cloud.services = {service.name: service for service in made}
    cloud.demonstration, cloud.lab = CloudDemonstration(cloud), Lab(cloud)
    # Only when all are made: work that continues calls the other services.
    for service in made:
        service.start()
