"""SageMaker: models and endpoint configurations, and the tags of all that SageMaker makes."""

import math
import re
from typing import Any

from localcloud.cloud import LocalCloud
from localcloud.errors import AwsError
from localcloud.service import Unowned, now, paginate
from localcloud.tags import tag_list, tag_map
from localcloud.training.jobs import TrainingJobs
from localcloud.wire import Call, Params


class Models(TrainingJobs):
    """The operations of the ``sagemaker`` service on models, configurations and tags."""

    def __init__(self, cloud: LocalCloud) -> None:
        super().__init__(cloud)
        self._models = cloud.store.load_table("sagemaker.model")
        self._configs = cloud.store.load_table("sagemaker.endpoint-config")

    # -- models --------------------------------------------------------------------------------

    def create_model(self, call: Call) -> Params:
        p = call.params
        if len(p.get("Containers") or ()) > 1:
            text = "The local cloud does not implement several Containers of a model."
            raise AwsError("NotImplemented", text, 501)
        container = p.get("PrimaryContainer") or (p.get("Containers") or [{}])[0]
        if url := container.get("ModelDataUrl"):
            self._check_artifact(url)
        return {"ModelArn": self._add_record("model", p["ModelName"], self._models, p)}

    def describe_model(self, call: Call) -> Params:
        return self._get_record("model", call.params["ModelName"], self._models)

    def delete_model(self, call: Call) -> Params:
        return self._remove_record("model", call.params["ModelName"], self._models)

    def list_models(self, call: Call) -> Params:
        return list_records("Models", "Model", self._models, call.params)

    # -- endpoint configurations ---------------------------------------------------------------

    def create_endpoint_config(self, call: Call) -> Params:
        p = call.params
        shadows = p.get("ShadowProductionVariants", [])
        if shadows and (len(shadows), len(p["ProductionVariants"])) != (1, 1):
            text = "One shadow variant can be specified, for one production variant."
            raise validation_error(text)
        names = [variant["VariantName"] for variant in (*p["ProductionVariants"], *shadows)]
        if len(set(names)) < len(names):
            raise validation_error("Variant names of an endpoint configuration must be unique.")
        for variant in (*p["ProductionVariants"], *shadows):
            if variant.get("ModelName") not in self._models:
                arn = self.cloud.build_arn(
                    "sagemaker", f"model/{str(variant.get('ModelName')).lower()}"
                )
                raise validation_error(f'Could not find model "{arn}".')
        arn = self._add_record("endpoint-config", p["EndpointConfigName"], self._configs, p)
        return {"EndpointConfigArn": arn}

    def describe_endpoint_config(self, call: Call) -> Params:
        return self._get_record("endpoint-config", call.params["EndpointConfigName"], self._configs)

    def delete_endpoint_config(self, call: Call) -> Params:
        name = call.params["EndpointConfigName"]
        return self._remove_record("endpoint-config", name, self._configs)

    def list_endpoint_configs(self, call: Call) -> Params:
        return list_records("EndpointConfigs", "EndpointConfig", self._configs, call.params)

    # -- tags ----------------------------------------------------------------------------------

    def add_tags(self, call: Call) -> Params:
        arn = self._require_owned(call.params["ResourceArn"])
        self._tags[arn] = {**self._tags.get(arn, {}), **tag_map(call.params["Tags"])}
        return {"Tags": tag_list(self._tags[arn])}

    def list_tags(self, call: Call) -> Params:
        tags = tag_list(self._tags.get(self._require_owned(call.params["ResourceArn"]), {}))
        shown, token = paginate(tags, call.params, size="MaxResults", token="NextToken", default=50)  # noqa: S106 - a paging token
        return {"Tags": shown} | ({"NextToken": token} if token else {})

    def delete_tags(self, call: Call) -> Params:
        arn = self._require_owned(call.params["ResourceArn"])
        gone = call.params["TagKeys"]
        self._tags[arn] = {k: v for k, v in self._tags.get(arn, {}).items() if k not in gone}
        return {}

    # -- helpers -------------------------------------------------------------------------------

    def _add_record(self, kind: str, name: str, table: Any, record: Params) -> str:  # noqa: ANN401 - a Table
        if not re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name):
            raise validation_error(f"'{name}' is no name that SageMaker takes.")
        arn = self.cloud.build_arn("sagemaker", f"{kind}/{name.lower()}")
        title = "".join(part.capitalize() for part in kind.split("-"))
        with self._lock:
            if name in table:
                raise validation_error(f'Cannot create already existing {kind} "{arn}".')
            made = now()
            fields = {k: v for k, v in record.items() if k != "Tags"}
            table[name] = {**fields, f"{title}Arn": arn, "CreationTime": made} | (
                {"LastModifiedTime": made} if kind == "endpoint" else {}
            )
            self._tags[arn] = tag_map(record.get("Tags", []))
        return arn

    def _get_record(self, kind: str, name: str, table: Any) -> Params:  # noqa: ANN401 - a Table
        if name not in table:
            arn = self.cloud.build_arn("sagemaker", f"{kind}/{name.lower()}")
            words = kind.replace("-config", " configuration")
            raise validation_error(f'Could not find {words} "{arn}".')
        return dict(table[name])

    def _remove_record(self, kind: str, name: str, table: Any) -> Params:  # noqa: ANN401 - a Table
        self._get_record(kind, name, table)
        self._tags.pop(self.cloud.build_arn("sagemaker", f"{kind}/{name.lower()}"), None)
        del table[name]
        return {}

    def _require_owned(self, arn: str) -> str:
        if arn.rsplit(":", maxsplit=1)[-1].split("/", maxsplit=1)[0] not in (
            "model",
            "endpoint-config",
            "endpoint",
            "training-job",
        ):
            # The tags of everything else are moto's.
            raise Unowned
        return arn

    def _check_artifact(self, url: str) -> None:
        bucket, _, key = url.removeprefix("s3://").partition("/")
        if not self.cloud.s3.object_exists(bucket, key):
            raise validation_error(f"Could not find model data at {url}.")


def validation_error(message: str) -> AwsError:
    """Return the error of an input that SageMaker does not take."""
    return AwsError("ValidationException", message)


def list_records(field: str, item: str, table: Any, params: Params) -> Params:  # noqa: ANN401 - a Table
    """Return a list of summaries, newest first, by the filters that all lists of SageMaker have."""
    found = [(n, r) for n, r in table.items() if _is_asked_for(n, r, params)]
    by = params.get("SortBy", "CreationTime")
    found.sort(
        key=lambda pair: {"Name": pair[0], "Status": pair[1].get("EndpointStatus")}.get(
            by, pair[1]["CreationTime"]
        ),
        reverse=params.get("SortOrder", "Descending") == "Descending",
    )
    shown, token = paginate(found, params, size="MaxResults", token="NextToken", default=10)  # noqa: S106 - a paging token
    # From the records that were found: one may be deleted by now.
    fields = (f"{item}Arn", "CreationTime", "LastModifiedTime", f"{item}Status")
    items = [{f"{item}Name": n, **{f: r[f] for f in fields if f in r}} for n, r in shown]
    return {field: items} | ({"NextToken": token} if token else {})


def _is_asked_for(name: str, record: Params, params: Params) -> bool:
    """Return whether a record passes the filters of a list."""
    if params.get("StatusEquals") not in (None, record.get("EndpointStatus")):
        return False
    for field, after, before in (
        ("CreationTime", "CreationTimeAfter", "CreationTimeBefore"),
        ("LastModifiedTime", "LastModifiedTimeAfter", "LastModifiedTimeBefore"),
    ):
        if not params.get(after, 0.0) <= record.get(field, 0.0) <= params.get(before, math.inf):
            return False
    return params.get("NameContains", "") in name
