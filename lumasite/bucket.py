"""Media in an S3 bucket that may have two addresses: one for us, one for everybody else."""

from __future__ import annotations

from typing import Any

from storages.backends.s3 import S3Storage


class Bucket(S3Storage):
    """django-storages' S3, private; `public_endpoint_url` is where browsers and the provider reach the service.

    A presigned link holds for the host that it was signed for, so one made for an address within a private network
    leads nobody else anywhere. Signing asks nobody: that address needs no way from here.
    """

    def __init__(self, public_endpoint_url: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._public = S3Storage(**options | {"endpoint_url": public_endpoint_url}) if public_endpoint_url else None

    def url(self, name: str, *args: Any, **options: Any) -> str:
        """A link to the file for whoever has it; it holds for `expire` seconds, an hour unless told."""
        if self._public:
            return str(self._public.url(name, *args, **options))
        return str(super().url(name, *args, **options))
