from typing import Any

from botocore.config import Config
from storages.backends.s3 import S3Storage


class MediaS3Storage(S3Storage):  # type: ignore[misc]
    """Photos in a private bucket; pages get them through the application, never by a URL of S3."""

    def get_default_settings(self) -> dict[str, Any]:
        return {
            **super().get_default_settings(),
            "default_acl": None,  # a bucket that has switched ACLs off refuses any
            "file_overwrite": False,
            "querystring_auth": True,
            "client_config": Config(
                # boto3 adds checksums of its own since 1.36, which other S3 services refuse.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                signature_version="s3v4",
                connect_timeout=5,
                read_timeout=30,
                retries={"max_attempts": 4, "mode": "standard"},
            ),
        }

    def url(self, *args: Any, **kwargs: Any) -> str:
        raise NotImplementedError("Media are served by the application, to their tenant only.")
