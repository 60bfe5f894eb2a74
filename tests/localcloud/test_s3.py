"""S3 of the local cloud, through boto3."""

import io
import time
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.cloud


@pytest.fixture
def s3(local_cloud):
    return local_cloud.client("s3")


@pytest.fixture
def bucket(s3, request):
    name = "s3-" + "".join(
        c if c.isascii() and c.isalnum() else "-" for c in request.node.name.lower()
    )[-50:].strip("-")
    s3.create_bucket(Bucket=name)
    return name


def code(caught):
    return caught.value.response["Error"]["Code"]


def test_an_object_comes_back_with_what_was_said_about_it(s3, bucket):
    s3.put_object(
        Bucket=bucket,
        Key="a/b.png",
        Body=b"bytes",
        ContentType="image/png",
        Metadata={"sha256": "x"},
        Tagging="kind=photo",
    )
    found = s3.get_object(Bucket=bucket, Key="a/b.png")
    assert found["Body"].read() == b"bytes"
    assert (found["ContentType"], found["Metadata"]) == ("image/png", {"sha256": "x"})
    assert s3.head_object(Bucket=bucket, Key="a/b.png")["ContentLength"] == 5
    tags = s3.get_object_tagging(Bucket=bucket, Key="a/b.png")["TagSet"]
    assert tags == [{"Key": "kind", "Value": "photo"}]


@pytest.mark.parametrize(
    "key", ["spaces and 'quotes' \"too\"", "ünï/çødé 🚲.png", "a+b&c=d?e#f%20g", "//double//"]
)
def test_keys_may_hold_any_character(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]


@pytest.mark.parametrize(
    ("given", "expected"), [("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=-2", b"89")]
)
def test_a_range_is_a_part_of_the_object(s3, bucket, given, expected):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    found = s3.get_object(Bucket=bucket, Key="k", Range=given)
    assert found["Body"].read() == expected
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_a_range_behind_the_end_is_refused(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123")
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=9-")
    assert code(caught) == "InvalidRange"


def test_lists_come_in_pages_and_fold_at_the_delimiter(s3, bucket):
    for key in ("a/1", "a/2", "b/1", "c"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    folded = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [p["Prefix"] for p in folded["CommonPrefixes"]] == ["a/", "b/"]
    assert [o["Key"] for o in folded["Contents"]] == ["c"]
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    seen = [
        *(p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])),
        *(o["Key"] for page in pages for o in page.get("Contents", [])),
    ]
    assert sorted(seen) == ["a/", "b/", "c"]
    behind = s3.list_objects_v2(Bucket=bucket, StartAfter="a/1", Prefix="a/")
    assert [o["Key"] for o in behind["Contents"]] == ["a/2"]


def test_the_older_list_goes_on_at_its_marker(s3, bucket):
    for key in ("a/1", "b/1", "c"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    first = s3.list_objects(Bucket=bucket, Delimiter="/", MaxKeys=1)
    second = s3.list_objects(Bucket=bucket, Delimiter="/", Marker=first["NextMarker"])
    assert [p["Prefix"] for p in second["CommonPrefixes"]] == ["b/"]


def test_a_streaming_upload_arrives_whole(s3, bucket):
    body = bytes(range(256)) * 4096
    s3.upload_fileobj(io.BytesIO(body), bucket, "streamed")
    assert s3.get_object(Bucket=bucket, Key="streamed")["Body"].read() == body


def test_a_multipart_upload_joins_its_parts(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big", ContentType="x/y")["UploadId"]
    bodies = [b"a" * (5 << 20), b"b" * 10]
    parts = [
        {
            "PartNumber": n,
            "ETag": s3.upload_part(
                Bucket=bucket, Key="big", UploadId=upload, PartNumber=n, Body=body
            )["ETag"],
        }
        for n, body in enumerate(bodies, 1)
    ]
    listed = s3.list_parts(Bucket=bucket, Key="big", UploadId=upload)["Parts"]
    assert [p["Size"] for p in listed] == [5 << 20, 10]
    done = s3.complete_multipart_upload(
        Bucket=bucket, Key="big", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert done["ETag"].endswith('-2"')
    assert s3.get_object(Bucket=bucket, Key="big")["Body"].read() == b"".join(bodies)
    with pytest.raises(ClientError) as caught:
        s3.abort_multipart_upload(Bucket=bucket, Key="big", UploadId=upload)
    assert code(caught) == "NoSuchUpload"


def test_a_copy_keeps_bytes_and_metadata(s3, bucket):
    s3.put_object(Bucket=bucket, Key="from", Body=b"x", Metadata={"a": "1"})
    s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from"})
    s3.delete_object(Bucket=bucket, Key="from")
    found = s3.get_object(Bucket=bucket, Key="to")
    assert (found["Body"].read(), found["Metadata"]) == (b"x", {"a": "1"})


def test_what_is_not_there_is_named(s3, bucket):
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="none")
    assert code(caught) == "NoSuchKey"
    with pytest.raises(ClientError) as caught:
        s3.head_object(Bucket=bucket, Key="none")
    assert code(caught) == "404"
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="no-such-bucket-here", Key="k", Body=b"")
    assert code(caught) == "NoSuchBucket"


def test_a_write_can_insist_on_being_the_first(s3, bucket):
    s3.put_object(Bucket=bucket, Key="once", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="once", Body=b"2", IfNoneMatch="*")
    assert code(caught) == "PreconditionFailed"
    etag = s3.head_object(Bucket=bucket, Key="once")["ETag"]
    s3.put_object(Bucket=bucket, Key="once", Body=b"2", IfMatch=etag)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="once", IfMatch=etag)
    assert code(caught) == "PreconditionFailed"


def test_a_versioned_bucket_remembers(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"2")
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"]
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k")
    assert code(caught) == "NoSuchKey"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=first)["Body"].read() == b"1"
    listed = s3.list_object_versions(Bucket=bucket)
    assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (2, 1)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"


def test_a_bucket_with_objects_is_not_deleted(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    with pytest.raises(ClientError) as caught:
        s3.delete_bucket(Bucket=bucket)
    assert code(caught) == "BucketNotEmpty"
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}, {"Key": "none"}]})
    assert [d["Key"] for d in gone["Deleted"]] == ["k", "none"]
    s3.delete_bucket(Bucket=bucket)


def test_settings_of_a_bucket_are_kept(s3, bucket):
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"][
        "BlockPublicPolicy"
    ]
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    with pytest.raises(ClientError) as caught:
        s3.get_bucket_policy(Bucket=bucket)
    assert code(caught) == "NoSuchBucketPolicy"
    policy = '{"Version": "2012-10-17", "Statement": []}'
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
    rule = {
        "ID": "old",
        "Status": "Enabled",
        "Filter": {"Prefix": "data_capture/"},
        "Expiration": {"Days": 90},
    }
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == [rule]
    tags = [{"Key": "stage", "Value": "dev"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags


def test_a_presigned_url_opens_and_runs_out(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k 1", Body=b"x")
    parameters = {"Bucket": bucket, "Key": "k 1"}
    url = s3.generate_presigned_url("get_object", Params=parameters, ExpiresIn=60)
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - loopback
        assert answer.read() == b"x"
    short = s3.generate_presigned_url("get_object", Params=parameters, ExpiresIn=1)
    time.sleep(2.1)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(short)  # noqa: S310 - loopback
    assert caught.value.code == 403
    caught.value.close()


def test_a_body_that_was_changed_on_the_way_is_refused(s3, bucket):
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ChecksumSHA256="AAAA")
    assert code(caught) == "BadDigest"
