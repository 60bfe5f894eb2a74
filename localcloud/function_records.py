"""Lambda: functions, their code, versions, policies and concurrency."""

import base64
import hashlib
import json
import re
import threading
import time

from localcloud import function_settings as settings
from localcloud.concurrency import Concurrency
from localcloud.environment import Site
from localcloud.errors import AwsError
from localcloud.function_code import UNZIPPED_LIMIT, ZIP_LIMIT, check_zip
from localcloud.pool import Pool
from localcloud.service import Service, paginate
from localcloud.tags import Tagged
from localcloud.wire import Call, Params

_CODE_LIMIT = 80_530_636_800  # 75 GB
_REFERENCE = re.compile(
    r"(?:arn:[a-z-]+:lambda:[^:]*:\d{12}:function:|\d{12}:function:|function:)?"
    r"(?P<name>[a-zA-Z0-9_-]+)(?::(?P<qualifier>[$a-zA-Z0-9_-]+))?"
)


class FunctionRecords(Service):
    """The operations of the ``lambda`` service but for ``Invoke``.

    A function's record keeps ``latest``, ``versions`` and the rest.
    """

    name = "lambda"

    def start(self) -> None:
        """Load the functions; needs the cloud's endpoint URL."""
        self._functions = self.cloud.store.load_table("lambda.function")
        self._tagged = Tagged(self._functions)
        directory = self.cloud.store.directory
        folder = directory / "environments"
        self.pool = Pool(Site(self.cloud.endpoint_url, folder, self.cloud.credentials))
        self._code = self.cloud.store.directory / "functions"
        self._code.mkdir(exist_ok=True)
        self._lock = threading.RLock()
        # Until when functions are being made or changed, by a clock that nobody sets back.
        self._pending_seconds = self.cloud.allows.durations.function_pending
        self._pending_until: dict[str, float] = {}
        self._updating_until: dict[str, float] = {}
        self._concurrency = Concurrency(self.cloud.allows.lambda_concurrency)
        for name, record in self._functions.items():
            if record["reserved"] is not None:
                self._concurrency.reserved[name] = record["reserved"]

    # -- functions -----------------------------------------------------------------------------

    def create_function(self, call: Call) -> Params:
        p = call.params
        name = _parse_reference(p["FunctionName"])[0]
        with self._lock:
            if name in self._functions:
                raise AwsError("ResourceConflictException", f"Function already exist: {name}", 409)
            if not self.cloud.permissions.has_role(p["Role"].rpartition("/")[2]):
                raise AwsError(
                    "InvalidParameterValueException",
                    "The role defined for the function cannot be assumed by Lambda.",
                )
            defaults: Params = {
                "FunctionName": name,
                "FunctionArn": self._function_arn(name),
                "Description": "",
                "Timeout": 3,
                "MemorySize": 128,
                "TracingConfig": {"Mode": "PassThrough"},
                "EphemeralStorage": {"Size": 512},
                "PackageType": "Zip",
                "Architectures": p.get("Architectures", ["x86_64"]),
                "Version": "$LATEST",
            }
            latest = settings.apply_changes(defaults, p) | self._store_code(p["Code"])
            settings.renew_revision(latest)
            self._functions[name] = {
                "latest": latest,
                "versions": {},
                "next_version": 1,
                "tags": p.get("Tags", {}),
                "reserved": None,
                "policy": {},
            }
            self._pending_until[name] = time.monotonic() + self._pending_seconds
            if p.get("Publish"):
                self._publish_version(name, p.get("Description"))
            return self._with_states(name, latest)

    def get_function(self, call: Call) -> Params:
        name, configuration = self._find_version(call.params)
        record = self._functions[name]
        out: Params = {
            "Configuration": self._with_states(name, configuration),
            "Code": {"RepositoryType": "S3", "Location": self._code_location(configuration)},
        }
        if record["tags"]:
            out["Tags"] = record["tags"]
        if record["reserved"] is not None:
            out["Concurrency"] = {"ReservedConcurrentExecutions": record["reserved"]}
        return out

    def get_function_configuration(self, call: Call) -> Params:
        return self._with_states(*self._find_version(call.params))

    def update_function_code(self, call: Call) -> Params:
        p = call.params
        with self._lock:
            name, configuration = self._copy_latest(p)
            if "Architectures" in p:
                configuration["Architectures"] = p["Architectures"]
            configuration.update(self._store_code(p))
            if p.get("DryRun"):
                return self._with_states(name, configuration)
            return self._save_latest(name, configuration, publish=bool(p.get("Publish")))

    def update_function_configuration(self, call: Call) -> Params:
        with self._lock:
            name, configuration = self._copy_latest(call.params)
            configuration = settings.apply_changes(configuration, call.params)
            return self._save_latest(name, configuration, publish=False)

    def delete_function(self, call: Call) -> Params:
        with self._lock:
            name, configuration = self._find_version(call.params)
            qualifier = _parse_reference(call.params["FunctionName"])[1] or call.params.get(
                "Qualifier"
            )
            if qualifier:
                record = self._functions[name]
                del record["versions"][qualifier]
                self._functions[name] = record
            else:
                del self._functions[name]
                self._concurrency.release(name)
            self.pool.retire_revision(configuration["RevisionId"])
        return {}

    def list_functions(self, call: Call) -> Params:
        every = call.params.get("FunctionVersion") == "ALL"
        found = [
            (name, configuration)
            for name, record in sorted(self._functions.items())
            for configuration in (record["latest"], *(record["versions"].values() if every else ()))
        ]
        shown, marker = paginate(found, call.params, size="MaxItems", token="Marker", default=50)  # noqa: S106 - a paging marker
        return {"Functions": [self._with_states(*one) for one in shown], "NextMarker": marker}

    # -- versions ------------------------------------------------------------------------------

    def publish_version(self, call: Call) -> Params:
        with self._lock:
            name, configuration = self._copy_latest(call.params)
            wanted = call.params.get("CodeSha256")
            if wanted and wanted != configuration["CodeSha256"]:
                raise AwsError(
                    "InvalidParameterValueException",
                    f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST "
                    f"({configuration['CodeSha256']}). Please try again with the CodeSHA256 in "
                    "$LATEST.",
                )
            return self._with_states(
                name, self._publish_version(name, call.params.get("Description"))
            )

    def list_versions_by_function(self, call: Call) -> Params:
        name, _ = self._find_version(call.params)
        record = self._functions[name]
        latest = {**record["latest"], "FunctionArn": f"{self._function_arn(name)}:$LATEST"}
        versions = [latest, *record["versions"].values()]
        shown, marker = paginate(versions, call.params, size="MaxItems", token="Marker", default=50)  # noqa: S106 - a paging marker
        return {"Versions": [self._with_states(name, v) for v in shown], "NextMarker": marker}

    # -- tags, concurrency, policy -------------------------------------------------------------

    def list_tags(self, call: Call) -> Params:
        return {"Tags": self._tagged.get_tags(self._find_record(call.params["Resource"])[0])}

    def tag_resource(self, call: Call) -> Params:
        return self._tagged.add_tags(
            self._find_record(call.params["Resource"])[0], call.params["Tags"]
        )

    def untag_resource(self, call: Call) -> Params:
        return self._tagged.remove_tags(
            self._find_record(call.params["Resource"])[0], call.params["TagKeys"]
        )

    def put_function_concurrency(self, call: Call) -> Params:
        name, record = self._find_record(call.params["FunctionName"])
        self._concurrency.reserve(name, call.params["ReservedConcurrentExecutions"])
        record["reserved"] = call.params["ReservedConcurrentExecutions"]
        self._functions[name] = record
        return {"ReservedConcurrentExecutions": record["reserved"]}

    def get_function_concurrency(self, call: Call) -> Params:
        record = self._find_record(call.params["FunctionName"])[1]
        return {"ReservedConcurrentExecutions": record["reserved"]}

    def delete_function_concurrency(self, call: Call) -> Params:
        name, record = self._find_record(call.params["FunctionName"])
        self._concurrency.release(name)
        record["reserved"] = None
        self._functions[name] = record
        return {}

    def get_account_settings(self, call: Call) -> Params:  # noqa: ARG002 - it has no parameters
        sizes = [record["latest"]["CodeSize"] for record in self._functions.values()]
        return {
            "AccountLimit": {
                "TotalCodeSize": _CODE_LIMIT,
                "CodeSizeUnzipped": UNZIPPED_LIMIT,
                "CodeSizeZipped": ZIP_LIMIT,
                "ConcurrentExecutions": self._concurrency.limit,
                "UnreservedConcurrentExecutions": self._concurrency.unreserved,
            },
            "AccountUsage": {"TotalCodeSize": sum(sizes), "FunctionCount": len(sizes)},
        }

    def add_permission(self, call: Call) -> Params:
        p = call.params
        name, record = self._find_record(p["FunctionName"])
        if p["StatementId"] in record["policy"]:
            raise AwsError(
                "ResourceConflictException",
                f"The statement id ({p['StatementId']}) provided already exists.",
                409,
            )
        statement = settings.build_statement(p, self._function_arn(name), self.cloud.partition)
        record["policy"][p["StatementId"]] = statement
        self._functions[name] = record
        return {"Statement": json.dumps(statement)}

    def remove_permission(self, call: Call) -> Params:
        name, record = self._find_record(call.params["FunctionName"])
        if record["policy"].pop(call.params["StatementId"], None) is None:
            raise _missing_policy_error()
        self._functions[name] = record
        return {}

    def get_policy(self, call: Call) -> Params:
        record = self._find_record(call.params["FunctionName"])[1]
        if not record["policy"]:
            raise _missing_policy_error()
        statements = list(record["policy"].values())
        document = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
        return {"Policy": json.dumps(document), "RevisionId": record["latest"]["RevisionId"]}

    # -- helpers -------------------------------------------------------------------------------

    def _function_arn(self, name: str) -> str:
        return self.cloud.build_arn("lambda", f"function:{name}")

    def _find_record(self, reference: str) -> tuple[str, Params]:
        name = _parse_reference(reference)[0]
        if name not in self._functions:
            raise self._missing_error(self._function_arn(name))
        return name, self._functions[name]

    def _find_version(self, params: Params) -> tuple[str, Params]:
        """Name and configuration of the version that a call means."""
        name, qualifier = _parse_reference(params["FunctionName"])
        qualifier = qualifier or params.get("Qualifier")
        record = self._functions.get(name)
        if record is not None and qualifier in (None, "$LATEST"):
            return name, record["latest"]
        if record is not None and qualifier in record["versions"]:
            return name, record["versions"][qualifier]
        raise self._missing_error(self._function_arn(name) + (f":{qualifier}" if qualifier else ""))

    def _copy_latest(self, params: Params) -> tuple[str, Params]:
        """Name and a copy of ``$LATEST``, which a caller may change and save."""
        name, record = self._find_record(params["FunctionName"])
        wanted = params.get("RevisionId")
        if wanted and wanted != record["latest"]["RevisionId"]:
            raise AwsError(
                "PreconditionFailedException",
                "The Revision Id provided does not match the latest Revision Id. Call the "
                "GetFunction/GetAlias API to retrieve the latest Revision Id",
                412,
            )
        if self._is_pending(name) or self._is_updating(name):
            raise AwsError(
                "ResourceConflictException",
                "The operation cannot be performed at this time. An update is in progress for "
                f"resource: {self._function_arn(name)}",
                409,
            )
        return name, dict(record["latest"])

    def _save_latest(self, name: str, configuration: Params, *, publish: bool) -> Params:
        record = self._functions[name]
        self.pool.retire_revision(record["latest"]["RevisionId"])
        settings.renew_revision(configuration)
        self._functions[name] = {**record, "latest": configuration}
        self._updating_until[name] = time.monotonic() + self._pending_seconds
        return self._with_states(
            name, self._publish_version(name, None) if publish else configuration
        )

    def _publish_version(self, name: str, description: str | None) -> Params:
        record = self._functions[name]
        latest = record["latest"]
        newest = record["versions"].get(str(record["next_version"] - 1))
        # Publishing is idempotent: without a change since the newest version, that is the answer.
        frozen = settings.frozen_settings
        if newest is not None and frozen(newest) == frozen(latest):
            return dict(newest)
        number = str(record["next_version"])
        version = {
            **latest,
            "Version": number,
            "FunctionArn": f"{self._function_arn(name)}:{number}",
        }
        if description is not None:
            version["Description"] = description
        settings.renew_revision(version)
        versions = {**record["versions"], number: version}
        self._functions[name] = {
            **record,
            "versions": versions,
            "next_version": record["next_version"] + 1,
        }
        return version

    def _with_states(self, name: str, configuration: Params) -> Params:
        """Return a configuration with the states that pass with time."""
        return {
            **configuration,
            "State": "Pending" if self._is_pending(name) else "Active",
            "LastUpdateStatus": "InProgress" if self._is_updating(name) else "Successful",
        }

    def _is_updating(self, name: str) -> bool:
        return time.monotonic() < self._updating_until.get(name, 0.0)

    def _is_pending(self, name: str) -> bool:
        return time.monotonic() < self._pending_until.get(name, 0.0)

    def _store_code(self, code: Params) -> Params:
        if "ZipFile" in code:
            data = code["ZipFile"]
        elif "S3Bucket" in code:
            version = code.get("S3ObjectVersion")
            data = self.cloud.s3.read_object(code["S3Bucket"], code["S3Key"], version)
        else:
            raise AwsError("InvalidParameterValueException", "Please provide a source for code.")
        check_zip(data, direct="ZipFile" in code)
        self.cloud.store.put_blob(data)
        digest = hashlib.sha256(data).digest()
        return {"CodeSha256": base64.b64encode(digest).decode(), "CodeSize": len(data)}

    def _code_location(self, configuration: Params) -> str:
        url = f"{self.cloud.endpoint_url}/_localcloud/blobs/{code_digest(configuration)}"
        return self.cloud.credentials.presign_url(url, self.cloud.region)

    @staticmethod
    def _missing_error(arn: str) -> AwsError:
        return AwsError("ResourceNotFoundException", f"Function not found: {arn}", 404)


def _parse_reference(text: str) -> tuple[str, str | None]:
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise AwsError("ValidationException", f"'{text}' is no function name or ARN.")
    return match["name"], match["qualifier"]


def code_digest(configuration: Params) -> str:
    """Return the name under which the code of a version is stored: its SHA-256 in hex."""
    return base64.b64decode(configuration["CodeSha256"]).hex()


def _missing_policy_error() -> AwsError:
    return AwsError("ResourceNotFoundException", "The resource you requested does not exist.", 404)
