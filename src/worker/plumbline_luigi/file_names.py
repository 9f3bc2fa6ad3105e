"""Namespace and name of Luigi's file and object targets."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from luigi import configuration

# Where `?…` belongs to the object's key; elsewhere it is a query and may hold a signature.
_KEYS_WITH_QUESTION_MARKS = ("s3", "s3a", "s3n", "gs")
_ALIASES = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "webhdfs": "hdfs"}


def path_of(target) -> str:
    return os.fspath(target.path)


def local_file(target):
    path = path_of(target)
    return by_url(path) if "://" in path else ("file", os.path.abspath(path))


def any_file(target):
    """A file system that Luigi does not ship: known by the URL that is its path, or by Luigi's local file system below it."""
    path = path_of(target)
    if "://" in path:
        return by_url(path)
    local = type(getattr(type(target), "fs", None)).__name__ == "LocalFileSystem"
    return local_file(target) if local else None


def by_url(path: str):
    """`scheme://authority` without user info, and the path behind it."""
    scheme, _, rest = path.partition("://")
    scheme = _ALIASES.get(scheme.lower(), scheme.lower())
    authority, _, name = rest.partition("/")
    if scheme not in _KEYS_WITH_QUESTION_MARKS:
        name = name.partition("?")[0].partition("#")[0]
        authority = authority.partition("?")[0]
    if scheme == "file":
        return ("file" if authority in ("", "localhost") else f"file://{authority}"), "/" + name
    if scheme in ("abfs", "abfss", "wasb", "wasbs"):
        # The part before @ is the container.
        return f"{scheme}://{authority}", name
    host = authority.rpartition("@")[2]
    return f"{scheme}://{host}", ("/" + name if scheme == "hdfs" else name) or "/"


def hdfs(target):
    path = path_of(target)
    if "://" in path:
        return by_url(path)
    config = configuration.get_config()
    host, port = config.get("hdfs", "namenode_host", None), config.get("hdfs", "namenode_port", None)
    return (f"hdfs://{host}:{port}" if port else f"hdfs://{host}", path) if host else None


def azure_blob(target):
    options = vars(target.client).get("options", {})
    account = options.get("account_name") or _account_of(vars(target.client).get("kwargs", {}))
    if not account:
        return None
    return f"wasbs://{target.container}@{account}.{_suffix(options)}", target.blob


def _account_of(more: dict) -> str | None:
    parts = (part.partition("=") for part in str(more.get("connection_string") or "").split(";"))
    return next((value for key, _, value in parts if key.strip().lower() == "accountname"), None)


def _suffix(options: dict) -> str:
    """`dfs.core.windows.net`, or that of another cloud when the client's account URL is there."""
    host = urlsplit(str(options.get("account_url") or "")).hostname or ""
    _, blob, suffix = host.partition(".blob.")
    return f"dfs.{suffix}" if blob else "dfs.core.windows.net"


def ftp(target):
    return f"file://{vars(target)['_fs'].host}", path_of(target)


def ssh(target):
    return f"file://{vars(target)['_fs'].remote_context.host.rpartition('@')[2]}", path_of(target)


def dropbox(target):
    # OpenLineage has no rule for it.
    return "dropbox", path_of(target)


def nowhere(_target):
    """Exists only inside this process, or stands for nothing outside."""
    return None


BY_CLASS = {
    ("luigi.local_target", "LocalTarget"): local_file,
    ("luigi.mock", "MockTarget"): nowhere,
    ("luigi.contrib.simulate", "RunAnywayTarget"): nowhere,
    ("luigi.contrib.s3", "S3Target"): lambda target: by_url(path_of(target)),
    ("luigi.contrib.s3", "S3FlagTarget"): lambda target: by_url(path_of(target)),
    ("luigi.contrib.s3", "S3EmrTarget"): lambda target: by_url(path_of(target)),
    ("luigi.contrib.gcs", "GCSTarget"): lambda target: by_url(path_of(target)),
    ("luigi.contrib.gcs", "GCSFlagTarget"): lambda target: by_url(path_of(target)),
    ("luigi.contrib.hdfs.target", "HdfsTarget"): hdfs,
    ("luigi.contrib.hdfs.target", "HdfsFlagTarget"): hdfs,
    ("luigi.contrib.webhdfs", "WebHdfsTarget"): hdfs,
    ("luigi.contrib.azureblob", "AzureBlobTarget"): azure_blob,
    ("luigi.contrib.ftp", "RemoteTarget"): ftp,
    ("luigi.contrib.ssh", "RemoteTarget"): ssh,
    ("luigi.contrib.dropbox", "DropboxTarget"): dropbox,
}
