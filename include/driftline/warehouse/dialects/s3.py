"""Files on S3: a file system that DuckDB reads through, over the client that comes with Arrow.

DuckDB's own way would be an extension that it downloads; nothing is downloaded here.
"""

import math
import os
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import URL

from driftline.errors import InputError, MissingExtra

SCHEME = "s3://"
CONNECTION = "aws"
"""The kind of Airflow connection that holds credentials."""

_OPTIONS = ("region_name", "endpoint_url", "aws_session_token", "role_arn", "external_id")


def files_of(path: str, kind: str) -> str:
    """Return the pattern of a path's files of a kind: of a folder those are all below it."""
    if f".{kind}" in path.rpartition("/")[2] or "*" in path:
        return path
    return f"{path.rstrip('/')}/**/*.{kind}"


def file_system(url: URL) -> Any:
    """Return the file system of an Airflow connection's address, else that of the environment.

    The credentials are then AWS's own: `AWS_ACCESS_KEY_ID` and the like, a profile, a role.
    """
    try:
        from fsspec.implementations.arrow import ArrowFSWrapper
    except ModuleNotFoundError as error:
        raise MissingExtra("fsspec", "s3") from error

    class Bucket(ArrowFSWrapper):  # type: ignore[misc]
        """Lists a pattern's files by one request a thousand of them."""

        protocol = "s3"
        cachable = False

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return path.removeprefix(SCHEME).rstrip("/")

        def glob(self, path: str, maxdepth: int | None = None, **options: Any) -> Any:
            """Match files only: of a folder there is nothing to read."""
            detail = options.pop("detail", False)
            matched = super().glob(path, maxdepth, detail=True, **options)
            found = {name: told for name, told in matched.items() if told["type"] == "file"}
            return found if detail else sorted(found)

        def find(
            self,
            path: str,
            maxdepth: int | None = None,
            withdirs: bool = False,
            detail: bool = False,
            **_: object,
        ) -> Any:
            from pyarrow.fs import FileSelector, FileType

            root = self._strip_protocol(path)
            selector = FileSelector(root, allow_not_found=True, recursive=maxdepth != 1)
            deepest = root.count("/") + (maxdepth or math.inf)
            found = {
                each.path: self._make_entry(each)
                for each in self.fs.get_file_info(selector)
                if (withdirs or each.type is FileType.File) and each.path.count("/") <= deepest
            }
            return found if detail else sorted(found)

    return Bucket(_client(url))


def _client(url: URL) -> Any:
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    options = {name: str(value) for name, value in url.query.items() if name in _OPTIONS}
    given: dict[str, Any] = {}
    if url.get_backend_name() == CONNECTION and url.username:
        given = {
            "access_key": url.username,
            "secret_key": url.password or "",
            "session_token": options.get("aws_session_token"),
        }
    elif "role_arn" in options:
        given = {"role_arn": options["role_arn"], "external_id": options.get("external_id")}
    endpoint = options.get("endpoint_url") or os.environ.get(
        "AWS_ENDPOINT_URL_S3", os.environ.get("AWS_ENDPOINT_URL", "")
    )
    if endpoint:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise InputError(f"endpoint_url: found {endpoint!r}; write http(s)://host[:port]")
        given |= {"endpoint_override": parts.netloc, "scheme": parts.scheme}
    region = options.get("region_name") or os.environ.get("AWS_REGION")
    region = region or os.environ.get("AWS_DEFAULT_REGION")
    if region:
        given["region"] = region
    return S3FileSystem(
        **given,
        connect_timeout=10,
        request_timeout=60,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=3),
    )
