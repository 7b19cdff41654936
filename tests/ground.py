"""What processes of the product stand on: a database, a queue, a cache and media that no other studio shares.

SQLite and files in the studio's own data folder; or, where tests run on servers (`tests/servers.py`), a database of
its own in PostgreSQL, a numbered one in Redis and a bucket.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SERVERS = bool(os.environ.get("TEST_DATABASE_URL"))
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_S3_REGION_NAME": "us-east-1"}


def s3(url: str) -> Any:
    """A client of the S3 look-alike."""
    import boto3

    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )


def redis_number() -> str:
    """A Redis database that nobody has yet."""
    import redis

    url = os.environ["TEST_REDIS_URL"]
    with closing(redis.Redis.from_url(url)) as client:
        return urlsplit(url)._replace(path=f"/{client.incr('databases given out')}").geturl()


def bucket() -> dict[str, str]:
    """A new, empty bucket, as the product's settings name it."""
    url, name = os.environ["TEST_S3_URL"], f"studio-{uuid.uuid4().hex}"
    s3(url).create_bucket(Bucket=name)
    return {"AWS_STORAGE_BUCKET_NAME": name, "AWS_S3_ENDPOINT_URL": url, **KEYS}


class Ground:
    """The ground of one studio whose data folder is `data`; `copied` is another that begins with the same rows."""

    def __init__(self, data: Path, copied: Ground | None = None) -> None:
        self.data = data
        self.environ: dict[str, str] = {"DATA_DIR": str(data)}
        if not SERVERS:
            return
        name = f"studio_{uuid.uuid4().hex}"
        server = urlsplit(os.environ["TEST_DATABASE_URL"])
        self._url = server._replace(path=f"/{name}").geturl()
        template = f" TEMPLATE {urlsplit(copied._url).path[1:]}" if copied else ""
        self._do(server.geturl(), f"CREATE DATABASE {name}{template}")
        self.environ |= {"DATABASE_URL": self._url, "REDIS_URL": redis_number(), **bucket()}
        # Django's pool and its own defaults; moto takes no checksums in trailers.
        self.environ["AWS_REQUEST_CHECKSUM_CALCULATION"] = "when_required"

    @classmethod
    def of(cls, environ: dict[str, str]) -> Ground:
        """The ground that another process has made, by what it puts into the environment."""
        found = cls.__new__(cls)
        found.data, found.environ, found._url = Path(environ["DATA_DIR"]), environ, environ.get("DATABASE_URL", "")
        return found

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """What the database holds, with ids as 32 digits; a statement that writes is committed."""
        if SERVERS:
            return [{name: _plain(value) for name, value in row.items()} for row in self._do(self._url, sql, *values)]
        with closing(sqlite3.connect(self.data / "studio.sqlite3", timeout=20)) as connection:
            connection.row_factory = sqlite3.Row
            with connection:
                return [dict(row) for row in connection.execute(sql, values)]

    def files(self) -> list[str]:
        """The names of all media."""
        if SERVERS:
            client, name = s3(self.environ["AWS_S3_ENDPOINT_URL"]), self.environ["AWS_STORAGE_BUCKET_NAME"]
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=name)
            return sorted(entry["Key"] for page in pages for entry in page.get("Contents", ()))
        media = self.data / "media"
        return sorted(str(path.relative_to(media)) for path in media.rglob("*") if path.is_file())

    def put(self, name: str, content: bytes) -> bytes:
        """Have other bytes in one of the media; what it held."""
        if SERVERS:
            client = s3(self.environ["AWS_S3_ENDPOINT_URL"])
            here = {"Bucket": self.environ["AWS_STORAGE_BUCKET_NAME"], "Key": name}
            before: bytes = client.get_object(**here)["Body"].read()
            client.put_object(**here, Body=content)
            return before
        path = self.data / "media" / name
        before = path.read_bytes()
        path.write_bytes(content)
        return before

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else can write to the database; reading goes on."""
        if SERVERS:
            import psycopg

            with psycopg.connect(self._url) as connection:
                tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
                connection.execute(f"LOCK TABLE {', '.join(name for (name,) in tables)} IN EXCLUSIVE MODE")  # type: ignore
                yield
            return
        path = self.data / "studio.sqlite3"
        with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                connection.execute("ROLLBACK")

    @staticmethod
    def _do(url: str, sql: str, *values: Any) -> list[dict[str, Any]]:
        import psycopg
        from psycopg.rows import dict_row

        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(sql.replace("%", "%%").replace("?", "%s") if values else sql, values or None)
            return cursor.fetchall() if cursor.description else []


def _plain(value: Any) -> Any:
    return value.hex if isinstance(value, uuid.UUID) else value
