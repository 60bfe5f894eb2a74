"""S3: buckets and objects."""

from moto.backends import get_backend

from localcloud.cloud import Cloud
from localcloud.errors import AwsError
from localcloud.wire import Environ, Response


class S3:
    """The ``s3`` service."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def answer(self, environ: Environ) -> Response:
        return self.cloud.moto.answer(environ, "s3")

    def _backend(self):
        return get_backend("s3")[self.cloud.account]["aws"]

    def exists(self, bucket: str, key: str) -> bool:
        b = self._backend()
        return bucket in b.buckets and b.get_object(bucket, key) is not None

    def read(self, bucket: str, key: str) -> bytes:
        if not self.exists(bucket, key):
            raise AwsError("NoSuchKey", "The specified key does not exist.", 404)
        return self._backend().get_object(bucket, key).value

    def write(self, bucket: str, key: str, body: bytes, content_type: str) -> bool:
        b = self._backend()
        if bucket not in b.buckets:
            return False
        b.put_object(bucket, key, body)
        return True
