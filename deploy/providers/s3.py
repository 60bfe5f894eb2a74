"""S3: the bucket and the model archive in it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from deploy import policies
from deploy.cloud import Observed
from deploy.providers.clients import Aws, call_or_none, tag_list, tag_map
from deploy.providers.errors import code_of
from deploy.providers.parsing import AnswerMalformed
from deploy.resources import Json, ModelArchive, StorageBucket
from workflow.audit import PREFIX as AUDIT_PREFIX
from workflow.errors import WorkflowError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import LifecycleRuleTypeDef, ObjectIdentifierTypeDef

OWN_PREFIX = "models/"
LOCK_KEY = "deploy.lock"
_BLOCKED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


def download_prefix(aws: Aws, address: str, folder: Path) -> int:
    """Copy what lies below a prefix into a folder; return how many files that are.

    Args:
        aws: The account.
        address: ``s3://bucket/prefix``.
        folder: Where to; a key that would lead out of it is left out.
    """
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    prefix = f"{prefix.rstrip('/')}/"
    count, root = 0, folder.resolve()
    pages = aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for one in (one for page in pages for one in page.get("Contents", ())):
        target = (folder / one["Key"].removeprefix(prefix)).resolve()
        if root in target.parents and not one["Key"].endswith("/"):
            target.parent.mkdir(parents=True, exist_ok=True)
            aws.s3.download_file(bucket, one["Key"], str(target))
            count += 1
    return count


class BucketProvider:
    """Reads and writes :class:`StorageBucket`."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._s3 = aws.s3

    def read(self, name: str) -> Observed | None:
        """Return the bucket's configuration, and the top folders in it that deploy did not make.

        Raises:
            WorkflowError: The bucket belongs to another account, or lies in another region.
        """
        try:
            head = self._s3.head_bucket(Bucket=name)
        except ClientError as error:
            if code_of(error) in {"404", "NoSuchBucket"}:
                return None
            # HEAD answers 403 for a bucket of another account: names are unique among all accounts.
            if code_of(error) in {"403", "AccessDenied"}:
                raise _foreign_bucket(name) from error
            raise
        region = head.get("BucketRegion", self._aws.region)
        if region != self._aws.region:
            raise WorkflowError(
                "BucketInAnotherRegion",
                f"The bucket {name} lies in {region}, not in {self._aws.region}.",
                f"Set AWS_REGION={region}, or choose another project or stage name.",
            )
        return Observed(
            properties={
                "policy": self._read_policy(name),
                "public_access": self._read_public_access(name),
                **self._read_encryption(name),
                "ownership": self._read_ownership(name),
                **self._read_lifecycle(name),
            },
            outputs={"name": name, "contents": ", ".join(self._list_contents(name))},
            tags=self._read_tags(name),
        )

    def create(self, resource: StorageBucket) -> Iterator[str]:
        """Create the bucket, tag it, then configure it."""
        configuration: Any = {"Tags": tag_list(resource.tags)}
        # us-east-1 is no LocationConstraint (CreateBucket): there it has to be left out.
        if self._aws.region != "us-east-1":
            configuration["LocationConstraint"] = self._aws.region
        self._s3.create_bucket(
            Bucket=resource.name,
            ObjectOwnership="BucketOwnerEnforced",
            CreateBucketConfiguration=configuration,
        )
        yield from self._configure_bucket(resource)

    def update(self, resource: StorageBucket, _observed: Observed) -> Iterator[str]:
        """Write the whole configuration; every part of it is idempotent."""
        yield from self._configure_bucket(resource)

    def delete(self, name: str) -> Iterator[str]:
        """Delete what deploy itself put there, then the bucket; S3 refuses while there is more."""
        for count in _delete_prefix(self._s3, name, OWN_PREFIX):
            yield f"Deleted {count:,} model archives"
        for count in _delete_prefix(self._s3, name, AUDIT_PREFIX):
            yield f"Deleted {count:,} rows of the audit, which are kept on this machine"
        yield "Deleting the bucket"
        # The lock goes with the bucket: nothing is left that it could protect.
        self._s3.delete_object(Bucket=name, Key=LOCK_KEY)
        call_or_none(lambda: self._s3.delete_bucket(Bucket=name), "NoSuchBucket")

    def _configure_bucket(self, bucket: StorageBucket) -> Iterator[str]:
        name = bucket.name
        yield "Blocking public access"
        # PutBucketTagging replaces all tags: those of others are written again.
        tags = tag_list({**self._read_tags(name), **bucket.tags})
        self._s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
        self._s3.put_public_access_block(
            Bucket=name,
            PublicAccessBlockConfiguration=_BLOCKED,  # type: ignore[arg-type]  # a TypedDict of four bools
        )
        yield "Setting encryption, policy and lifecycle"
        self._s3.put_bucket_ownership_controls(
            Bucket=name,
            OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        )
        self._s3.put_bucket_encryption(
            Bucket=name,
            ServerSideEncryptionConfiguration={"Rules": [_encryption_rule(bucket)]},
        )
        self._s3.put_bucket_policy(Bucket=name, Policy=json.dumps(bucket.policy))
        self._s3.put_bucket_lifecycle_configuration(
            Bucket=name, LifecycleConfiguration={"Rules": _lifecycle_rules(bucket)}
        )

    def _read_tags(self, name: str) -> dict[str, str]:
        answer = call_or_none(lambda: self._s3.get_bucket_tagging(Bucket=name), "NoSuchTagSet")
        return tag_map(answer["TagSet"]) if answer else {}

    def _read_policy(self, name: str) -> Json:
        answer = call_or_none(lambda: self._s3.get_bucket_policy(Bucket=name), "NoSuchBucketPolicy")
        try:
            return policies.canonical(json.loads(answer["Policy"])) if answer else None
        except ValueError as error:  # the body is the policy, which botocore does not parse
            raise AnswerMalformed(reason="The policy is not JSON, or was cut short.") from error

    def _read_public_access(self, name: str) -> Json:
        answer = call_or_none(
            lambda: self._s3.get_public_access_block(Bucket=name),
            "NoSuchPublicAccessBlockConfiguration",
        )
        blocked = answer is not None and answer["PublicAccessBlockConfiguration"] == _BLOCKED
        return "blocked" if blocked else "open"

    def _read_encryption(self, name: str) -> dict[str, Json]:
        answer = call_or_none(
            lambda: self._s3.get_bucket_encryption(Bucket=name),
            "ServerSideEncryptionConfigurationNotFoundError",
        )
        rules = answer["ServerSideEncryptionConfiguration"]["Rules"] if answer else []
        applied: Mapping[str, Any] = next(
            (
                rule["ApplyServerSideEncryptionByDefault"]
                for rule in rules
                if "ApplyServerSideEncryptionByDefault" in rule
            ),
            {},
        )
        return {"encryption": applied.get("SSEAlgorithm"), "kms_key": applied.get("KMSMasterKeyID")}

    def _read_ownership(self, name: str) -> Json:
        answer = call_or_none(
            lambda: self._s3.get_bucket_ownership_controls(Bucket=name),
            "OwnershipControlsNotFoundError",
        )
        rules = answer["OwnershipControls"]["Rules"] if answer else []
        return rules[0]["ObjectOwnership"] if rules else None

    def _read_lifecycle(self, name: str) -> dict[str, Json]:
        answer = call_or_none(
            lambda: self._s3.get_bucket_lifecycle_configuration(Bucket=name),
            "NoSuchLifecycleConfiguration",
        )
        days: dict[str, Json] = {}
        abort: Json = None
        for rule in answer["Rules"] if answer else ():
            if "AbortIncompleteMultipartUpload" in rule:
                abort = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
            if "Expiration" in rule:
                days[rule.get("Filter", {}).get("Prefix", "")] = rule["Expiration"].get("Days")
        return {"expire_days": days, "abort_upload_days": abort}

    def _list_contents(self, name: str) -> list[str]:
        # Top folders are enough to tell people, and one request however many objects there are.
        page = self._s3.list_objects_v2(Bucket=name, Delimiter="/", MaxKeys=100)
        names = [one["Prefix"] for one in page.get("CommonPrefixes", ())]
        names += [one["Key"] for one in page.get("Contents", ())]
        return [one for one in names if one not in {OWN_PREFIX, LOCK_KEY, AUDIT_PREFIX}]


class ContentsProvider:
    """Deletes every object of a bucket, for ``destroy --empty-bucket``."""

    def __init__(self, aws: Aws) -> None:
        self._s3 = aws.s3

    def read(self, name: str) -> Observed | None:
        """Return whether there is anything in the bucket."""
        page = call_or_none(
            lambda: self._s3.list_objects_v2(Bucket=name, MaxKeys=1), "NoSuchBucket"
        )
        return Observed(properties={}) if page and page.get("KeyCount") else None

    def delete(self, name: str) -> Iterator[str]:
        """Delete all objects, a thousand at a time."""
        for count in _delete_prefix(self._s3, name, ""):
            yield f"Deleted {count:,} objects"


class ModelArchiveProvider:
    """Reads and writes :class:`ModelArchive`."""

    def __init__(self, aws: Aws) -> None:
        self._s3 = aws.s3

    def read(self, name: str) -> Observed | None:
        """Return the digest that was stored with the archive."""
        bucket, _, key = name.partition("/")
        head = call_or_none(
            lambda: self._s3.head_object(Bucket=bucket, Key=key), "404", "NoSuchKey", "NoSuchBucket"
        )
        if head is None:
            return None
        return Observed(
            properties={"bucket": bucket, "digest": head["Metadata"].get("digest")},
            outputs={"url": f"s3://{bucket}/{key}"},
        )

    def create(self, resource: ModelArchive) -> Iterator[str]:
        """Upload the archive."""
        key = resource.name.partition("/")[2]
        yield f"Uploading {len(resource.archive) / 1e6:.1f} MB"
        self._s3.put_object(
            Bucket=resource.bucket,
            Key=key,
            Body=resource.archive,
            ContentType="application/gzip",
            Metadata={"digest": resource.digest},
            ChecksumAlgorithm="SHA256",
        )

    def update(self, resource: ModelArchive, _observed: Observed) -> Iterator[str]:
        """Upload it again: what lies under the key is not what its name says."""
        yield from self.create(resource)

    def delete(self, name: str) -> Iterator[str]:
        """Delete the archive."""
        bucket, _, key = name.partition("/")
        yield "Deleting the archive"
        self._s3.delete_object(Bucket=bucket, Key=key)


def _delete_prefix(s3: "S3Client", bucket: str, prefix: str) -> Iterator[int]:
    """Delete what lies under the prefix, page by page.

    Yields:
        How many objects are deleted so far.

    Raises:
        WorkflowError: ``ObjectNotDeleted`` where S3 refuses one of them.
    """
    count = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        keys: list[ObjectIdentifierTypeDef] = [
            {"Key": one["Key"]} for one in page.get("Contents", ())
        ]
        if not keys:
            continue
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        for error in answer.get("Errors", ()):
            raise WorkflowError(
                "ObjectNotDeleted",
                f"s3://{bucket}/{error.get('Key')} cannot be deleted: {error.get('Message')}.",
                "Correct what the message names, then repeat the step.",
            )
        count += len(keys)
        yield count


def _encryption_rule(bucket: StorageBucket) -> Any:  # noqa: ANN401 - boto3's own shape
    applied = {"SSEAlgorithm": bucket.encryption}
    if bucket.kms_key is None:
        return {"ApplyServerSideEncryptionByDefault": applied}
    applied["KMSMasterKeyID"] = bucket.kms_key
    # One data key for many objects: KMS is paid by the request.
    return {"ApplyServerSideEncryptionByDefault": applied, "BucketKeyEnabled": True}


def _lifecycle_rules(bucket: StorageBucket) -> "list[LifecycleRuleTypeDef]":
    expire: list[LifecycleRuleTypeDef] = [
        {
            "ID": f"expire-{prefix.strip('/')}",
            "Status": "Enabled",
            "Filter": {"Prefix": prefix},
            "Expiration": {"Days": days},
        }
        for prefix, days in bucket.expire_days.items()
    ]
    return [
        *expire,
        {
            "ID": "abort-incomplete-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": bucket.abort_upload_days},
        },
    ]


def _foreign_bucket(name: str) -> WorkflowError:
    return WorkflowError(
        "BucketNotOurs",
        f"The bucket {name} exists, but these credentials may not look at it: it belongs to"
        " another account, or s3:ListBucket is missing.",
        "Check the account (`aws sts get-caller-identity`) and the permission s3:ListBucket, or"
        " choose another project or stage name.",
    )
