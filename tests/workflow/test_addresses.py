"""Addresses of objects in every form in which AWS hands them out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.addresses import AddressError, checked_bucket, decoded_keys, read_address

KEY = "images/red flower (1).png"
ENCODED = "images/red+flower+%281%29.png"
CONSOLE = "console.aws.amazon.com/s3"


@pytest.mark.parametrize(
    "text",
    [
        f"s3://my-bucket/{KEY}",
        f"S3://my-bucket/{KEY}",
        f"s3a://my-bucket/{KEY}",
        f'  "s3://my-bucket/{KEY}"\n',
        f"'s3://my-bucket/{KEY}'",
        f"arn:aws:s3:::my-bucket/{KEY}",
        f"arn:aws-cn:s3:::my-bucket/{KEY}",
        f"arn:aws-us-gov:s3:::my-bucket/{KEY}",
        f"s3://arn:aws:s3:::my-bucket/{KEY}",
        f"https://my-bucket.s3.amazonaws.com/{ENCODED}",
        f"https://my-bucket.s3.us-east-1.amazonaws.com/{ENCODED}",
        f"https://my-bucket.s3-us-west-2.amazonaws.com/{ENCODED}",
        f"https://my-bucket.s3.dualstack.eu-west-1.amazonaws.com/{ENCODED}",
        f"https://my-bucket.s3-accelerate.amazonaws.com/{ENCODED}",
        f"https://my-bucket.s3.cn-north-1.amazonaws.com.cn/{ENCODED}",
        f"HTTPS://MY-BUCKET.S3.AMAZONAWS.COM/{ENCODED}",
        f"https://s3.amazonaws.com/my-bucket/{ENCODED}",
        f"https://s3.us-east-1.amazonaws.com/my-bucket/{ENCODED}",
        f"https://s3-us-west-2.amazonaws.com/my-bucket/{ENCODED}",
        f"https://s3.dualstack.us-east-1.amazonaws.com/my-bucket/{ENCODED}",
        "https://my-bucket.s3.amazonaws.com/images/red%20flower%20%281%29.png?X-Amz-Signature=0f",
        f"http://127.0.0.1:4566/my-bucket/{ENCODED}",
        f"https://{CONSOLE}/object/my-bucket?region=us-east-1&prefix={ENCODED}",
        f"https://s3.{CONSOLE}/object/my-bucket?region=us-east-1&prefix={ENCODED}",
        f"https://us-east-1.{CONSOLE}/object/my-bucket?bucketType=general&prefix={ENCODED}",
        f"https://123456789012-abc.eu-west-1.{CONSOLE}/object/my-bucket?prefix={ENCODED}&tab=details",
        f"https://s3.{CONSOLE}/object/my-bucket/{ENCODED}?region=us-east-1",
        f"https://console.amazonaws.cn/s3/object/my-bucket?region=cn-north-1&prefix={ENCODED}",
    ],
)
def test_every_form_names_the_object(text: str) -> None:
    address = read_address(text)

    assert (address.bucket, address.keys[0]) == ("my-bucket", KEY)


def test_a_bucket_with_dots_keeps_them() -> None:
    address = read_address("https://my.own.bucket.s3.eu-west-1.amazonaws.com/a.png")

    assert (address.bucket, address.keys) == ("my.own.bucket", ("a.png",))


@pytest.mark.parametrize("text", ["images/a.png", "/images/a.png", " `images/a.png` "])
def test_a_key_alone_names_no_bucket(text: str) -> None:
    address = read_address(text)

    assert (address.bucket, address.keys[0]) == ("", "images/a.png")


def test_a_key_is_taken_as_it_stands_before_it_is_decoded() -> None:
    assert read_address(ENCODED).keys == (ENCODED, KEY, "images/red+flower+(1).png")
    assert read_address("s3://my-bucket/a+b.png").keys == ("a+b.png", "a b.png")
    assert decoded_keys("a.png") == ("a.png",)
    assert read_address("s3://my-bucket/100%25.png").keys == ("100%25.png", "100%.png")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no object"),
        ("s3://my-bucket", "names no object"),
        ("s3://my-bucket/", "names no object"),
        ("s3:///images/a.png", "no bucket in that address"),
        ("s3://My Bucket/a.png", "'My Bucket' is not a bucket name"),
        ("s3://my-bucket/images/", "is a folder"),
        (f"https://s3.{CONSOLE}/buckets/my-bucket?prefix=images/", "is a folder"),
        (f"https://us-east-1.{CONSOLE}/buckets/my-bucket?region=us-east-1", "names no object"),
        ("arn:aws:s3:::my-bucket", "names no object"),
        ("arn:aws:s3", "is an ARN that is cut off"),
        ("arn:aws:s3:us-east-1:123456789012:accesspoint/mine/object/a.png", "access point"),
        ("s3://arn:aws:s3:us-east-1:123456789012:accesspoint/mine/a.png", "access point"),
        ("https://mine-123456789012.s3-accesspoint.us-east-1.amazonaws.com/a.png", "access point"),
        ("arn:aws:lambda:us-east-1:123456789012:function:f", "another resource"),
        ("https://my-bucket.s3.amazonaws.com/a.png?versionId=3sL4k", "one version of an object"),
        ("https://example.com/bicycle.png", "is not an address of S3"),
        ("https://s3.amazonaws.com.example.com/b/a.png", "is not an address of S3"),
    ],
)
def test_what_names_no_object_is_told(text: str, message: str) -> None:
    with pytest.raises(AddressError) as caught:
        read_address(text)

    assert message in caught.value.message
    assert caught.value.remedy.endswith(".")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("s3://my-bucket", "my-bucket"),
        ("my-bucket/", "my-bucket"),
        ("My-Bucket", "my-bucket"),
        (" my-bucket ", "my-bucket"),
        ("arn:aws:s3:::my-bucket", "my-bucket"),
    ],
)
def test_a_bucket_as_people_paste_it_is_refused_with_what_was_meant(name: str, meant: str) -> None:
    with pytest.raises(AddressError, match=f"is not a bucket name. Perhaps {meant} is meant"):
        checked_bucket(name)


@given(st.text(max_size=40) | st.from_regex(r"\A(s3|https)://[a-z.?=/&%+\[\]]{0,30}\Z"))
def test_any_text_is_an_address_or_is_refused(text: str) -> None:
    try:
        address = read_address(text)
    except AddressError as error:
        assert error.message  # noqa: PT017 - either is right
    else:
        assert address.keys
        assert all(address.keys)
