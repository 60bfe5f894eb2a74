"""S3 parameters: each one that botocore knows is used, or refused instead of ignored."""

import re
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from localcloud.s3.api import S3
from localcloud.s3.parameters import NOT_IMPLEMENTED
from localcloud.store import Store

MODEL = botocore.session.get_session().get_service_model("s3")
USED = re.compile(
    r"content-(type|length|md5|encoding|disposition|language)|cache-control|expires|range"
    r"|(x-amz-copy-source-)?if-(none-)?match|(x-amz-copy-source-)?if-(un)?modified-since"
    r"|x-amz-(acl|grant-.+|tagging|tagging-directive|metadata-directive|meta-|storage-class)"
    r"|x-amz-(website-redirect-location|copy-source|copy-source-range|object-attributes)"
    r"|x-amz-server-side-encryption(-aws-kms-key-id|-context|-bucket-key-enabled)?"
    r"|x-amz-(sdk-checksum-algorithm|checksum-(mode|algorithm|type|crc.+|sha1|sha256))"
    r"|x-amz-((source-)?expected-bucket-owner|mp-object-size)"
    r"|response-.+|partnumber|uploadid|versionid|prefix|delimiter|marker|max-.+|encoding-type"
    r"|continuation-token|start-after|fetch-owner|(key|version-id|upload-id|part-number)-marker"
    r"|bucket-region|x-amz-(max-parts|part-number-marker)"
)
"""Names on the wire of what operations read: a later botocore may bring others."""

WITHOUT_EFFECT = {
    "x-amz-request-payer",  # the owner pays anyway
    "x-amz-optional-object-attributes",  # about restored archives, and none is restored here
    "x-amz-skip-destination-validation",  # notifications are kept, not sent
    "x-amz-confirm-remove-self-bucket-access",  # bucket policies are kept, not evaluated
}
"""What changes nothing about the answer."""


def test_every_parameter_is_used_or_refused(tmp_path):
    cloud: Any = SimpleNamespace(store=Store(tmp_path), region="us-east-1", endpoint_url="")
    operations = S3(cloud).operations
    shapes: dict[str, Any] = {name: MODEL.operation_model(name).input_shape for name in operations}
    members = [
        (operation, member.serialization["name"])
        for operation in operations
        for member in shapes[operation].members.values()
        if member.serialization.get("location") in ("header", "headers", "querystring")
    ]
    ignored = {
        (operation, name)
        for operation, name in members
        if not any(pattern.fullmatch(name.lower()) for pattern in (USED, NOT_IMPLEMENTED))
    }

    assert len(operations) > 40
    assert {name for _, name in ignored} <= WITHOUT_EFFECT


pytestmark = pytest.mark.cloud


@pytest.fixture
def s3(local_cloud):
    return local_cloud.client("s3")


@pytest.fixture
def bucket(s3, build):
    name = build.unique("parameters")
    s3.create_bucket(Bucket=name)
    return name


def refusal(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}, "NotImplemented"),
        ({"ObjectLockLegalHoldStatus": "ON"}, "NotImplemented"),
        ({"WriteOffsetBytes": 1}, "NotImplemented"),
        ({"IfNoneMatch": '"etag"'}, "NotImplemented"),
        ({"ACL": "public-read"}, "AccessControlListNotSupported"),
        ({"GrantRead": 'id="x"'}, "AccessControlListNotSupported"),
        ({"ExpectedBucketOwner": "999999999999"}, "AccessDenied"),
        ({"StorageClass": "COLD"}, "InvalidStorageClass"),
        ({"Tagging": "&".join(f"t{i}=1" for i in range(11))}, "BadRequest"),
        ({"Tagging": "a=1&a=2"}, "InvalidTag"),
    ],
)
def test_a_write_that_asks_for_what_is_not_here_stores_nothing(s3, bucket, parameters, expected):
    assert refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"x", **parameters) == expected
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_what_a_write_says_is_answered_again(s3, bucket):
    s3.put_object(
        Bucket=bucket,
        Key="k",
        Body=b"x",
        StorageClass="STANDARD_IA",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId="alias/photos",
        WebsiteRedirectLocation="/there",
        ExpectedBucketOwner="123456789012",
        ACL="private",
    )

    found = s3.get_object(Bucket=bucket, Key="k")
    assert found["StorageClass"] == "STANDARD_IA"
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", "alias/photos")
    assert found["WebsiteRedirectLocation"] == "/there"
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["StorageClass"] == "STANDARD_IA"


def test_keys_of_metadata_may_hold_underscores(s3, bucket):
    metadata = {"taken_by": "van-7", "taken-by": "van-8"}

    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata=metadata)

    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == metadata


def test_an_archived_object_has_to_be_restored_first(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="GLACIER")

    assert refusal(s3.get_object, Bucket=bucket, Key="k") == "InvalidObjectState"
    assert s3.head_object(Bucket=bucket, Key="k")["StorageClass"] == "GLACIER"


def multipart(s3, bucket, key, *bodies, **options):
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    named = {"Bucket": bucket, "Key": key, "UploadId": upload}
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**named, PartNumber=n, Body=body)["ETag"]}
        for n, body in enumerate(bodies, 1)
    ]
    return s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts}, **options)


def test_one_part_of_an_object_can_be_read(s3, bucket):
    multipart(s3, bucket, "k", b"a" * (5 << 20), b"bb")

    second = s3.get_object(Bucket=bucket, Key="k", PartNumber=2)

    assert second["Body"].read() == b"bb"
    assert (second["PartsCount"], second["ContentLength"]) == (2, 2)
    assert s3.head_object(Bucket=bucket, Key="k", PartNumber=1)["ContentLength"] == 5 << 20
    assert refusal(s3.get_object, Bucket=bucket, Key="k", PartNumber=3) == "InvalidPartNumber"


def test_conditions_hold_for_every_way_to_write(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    etag = s3.head_object(Bucket=bucket, Key="k")["ETag"]
    source = {"Bucket": bucket, "Key": "k"}

    with pytest.raises(ClientError, match="PreconditionFailed"):
        multipart(s3, bucket, "k", b"new", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        multipart(s3, bucket, "k", b"new", IfMatch='"other"')
    copied = {"Bucket": bucket, "CopySource": source}
    assert refusal(s3.copy_object, **copied, Key="to", CopySourceIfMatch='"other"') == (
        "PreconditionFailed"
    )
    assert refusal(s3.copy_object, **copied, Key="to", CopySourceIfNoneMatch=etag) == (
        "PreconditionFailed"
    )
    assert refusal(s3.copy_object, **copied, Key="to", IfMatch=etag) == "NoSuchKey"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"old"
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_a_delete_can_insist_on_what_it_deletes(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    entries = [{"Key": "k", "ETag": '"other"'}]

    assert refusal(s3.delete_object, Bucket=bucket, Key="k", IfMatch='"other"') == (
        "PreconditionFailed"
    )
    many = s3.delete_objects(Bucket=bucket, Delete={"Objects": entries})
    assert [(e["Key"], e["Code"]) for e in many["Errors"]] == [("k", "PreconditionFailed")]
    assert "Deleted" not in many
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    assert refusal(s3.delete_object, Bucket=bucket, Key="k", IfMatch="*") == "PreconditionFailed"


def test_a_part_can_be_copied_under_a_condition_only(s3, bucket):
    s3.put_object(Bucket=bucket, Key="from", Body=b"x")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]

    assert refusal(
        s3.upload_part_copy,
        Bucket=bucket,
        Key="k",
        UploadId=upload,
        PartNumber=1,
        CopySource={"Bucket": bucket, "Key": "from"},
        CopySourceIfMatch='"other"',
    ) == ("PreconditionFailed")
    assert refusal(
        s3.upload_part, Bucket=bucket, Key="k", UploadId=upload, PartNumber=10_001, Body=b""
    ) == ("InvalidArgument")


def test_parts_uploads_versions_and_buckets_come_in_pages(s3, bucket):
    uploads = {
        key: s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        for key in ("a/1", "a/2", "b", "c")
    }
    for n in (1, 2, 3):
        s3.upload_part(Bucket=bucket, Key="b", UploadId=uploads["b"], PartNumber=n, Body=b"x" * n)

    def paged(operation, field, **parameters):
        pages = s3.get_paginator(operation).paginate(**parameters)
        return [entry for page in pages for entry in page.get(field, [])]

    named = {"Bucket": bucket, "Key": "b", "UploadId": uploads["b"]}
    parts = paged("list_parts", "Parts", **named, PaginationConfig={"PageSize": 2})
    assert [part["Size"] for part in parts] == [1, 2, 3]
    one = {"PaginationConfig": {"PageSize": 1}}
    found = paged("list_multipart_uploads", "Uploads", Bucket=bucket, **one)
    assert [upload["Key"] for upload in found] == ["a/1", "a/2", "b", "c"]
    folded = {"Bucket": bucket, "Delimiter": "/", **one}
    assert [u["Key"] for u in paged("list_multipart_uploads", "Uploads", **folded)] == ["b", "c"]
    assert paged("list_multipart_uploads", "CommonPrefixes", **folded) == [{"Prefix": "a/"}]
    for key in ("a/1", "a/2", "b"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    assert [v["Key"] for v in paged("list_object_versions", "Versions", **folded)] == ["b"]
    assert paged("list_object_versions", "CommonPrefixes", **folded) == [{"Prefix": "a/"}]
    listed = paged("list_buckets", "Buckets", Prefix=bucket, **one)
    assert [entry["Name"] for entry in listed] == [bucket]


def test_only_the_attributes_that_are_asked_for_are_answered(s3, bucket):
    multipart(s3, bucket, "k", b"12")

    found = s3.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize", "ObjectParts", "StorageClass"]
    )

    assert (found["ObjectSize"], found["StorageClass"]) == (2, "STANDARD")
    assert found["ObjectParts"]["TotalPartsCount"] == 1
    assert "ETag" not in found
