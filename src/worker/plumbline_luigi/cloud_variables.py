"""The environment variables by which cloud libraries find who they are."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

# What azure-identity, boto3 and google-auth would take instead of a token's file, or beside it. A task has what its own identity
# says and nothing else, so that all of these leave its process, whichever cloud its identity is of.
AMBIENT = (
    *("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_AUTHORITY_HOST", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_SECRET"),
    *("AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"),
    *("AZURE_USERNAME", "AZURE_PASSWORD", "AZURE_TOKEN_CREDENTIALS", "AZURE_CONFIG_DIR", "AZURE_POD_IDENTITY_AUTHORITY_HOST"),
    *("AZURE_KUBERNETES_TOKEN_PROXY", "AZURE_KUBERNETES_SNI_NAME", "AZURE_KUBERNETES_CA_FILE", "AZURE_KUBERNETES_CA_DATA"),
    *("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION"),
    *("AWS_ACCOUNT_ID", "AWS_LOGIN_CACHE_DIRECTORY", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CREDENTIAL_FILE", "AWS_CONFIG_FILE"),
    *("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_BEARER_TOKEN_BEDROCK"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_CONFIG", "CLOUDSDK_AUTH_ACCESS_TOKEN"),
    *("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE"),
)
_AMBIENT = frozenset(AMBIENT)
# Without one of their own these libraries ask the machine who it is, and would be its managed identity. On this port nobody but root
# can listen.
_NOWHERE = "127.0.0.1:1"
NOT_THE_MACHINE = {
    "AZURE_POD_IDENTITY_AUTHORITY_HOST": f"http://{_NOWHERE}",
    "AWS_EC2_METADATA_DISABLED": "true",
    "GCE_METADATA_HOST": _NOWHERE,
    "GCE_METADATA_IP": _NOWHERE,
    "NO_GCE_CHECK": "true",
}
_LONGEST_SESSION = 64
_NOT_OF_SESSIONS = re.compile(r"[^A-Za-z0-9+=,.@-]")


def replace_identity(variables: dict[str, str]) -> None:
    """Gives this process these variables, and takes away whoever else it was."""
    for name in _AMBIENT.intersection(os.environ):
        del os.environ[name]
    os.environ.update(NOT_THE_MACHINE)
    os.environ.update(variables)


def variables_of(target: dict, path: str, session: Callable[[], str]) -> dict[str, str]:
    """What libraries must be told of a target. `path`: of the token, for Google of the file that names it."""
    kind = target["kind"]
    if kind == "azure":
        return {
            "AZURE_FEDERATED_TOKEN_FILE": path,
            "AZURE_CLIENT_ID": target["clientId"],
            "AZURE_TENANT_ID": target["tenantId"],
            "AZURE_AUTHORITY_HOST": target["authorityHost"],
        }
    if kind == "aws":
        # boto3 reads the older of the two names of the region.
        region = target.get("region")
        regions = {} if region is None else {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
        return {
            "AWS_WEB_IDENTITY_TOKEN_FILE": path,
            "AWS_ROLE_ARN": target["roleArn"],
            "AWS_ROLE_SESSION_NAME": session(),
            **regions,
        }
    return {"GOOGLE_APPLICATION_CREDENTIALS" if kind == "google" else target["variable"]: path}


def external_account(target: dict, path: str) -> dict:
    """Google's description of a token that it takes from a file, https://google.aip.dev/auth/4117."""
    account = {
        "type": "external_account",
        "audience": target["provider"],
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"file": path, "format": {"type": "text"}},
    }
    if "serviceAccount" in target:
        whom = target["serviceAccount"]
        account["service_account_impersonation_url"] = (
            f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{whom}:generateAccessToken"
        )
    return account


def session_name(run_id: str, family: str, task_id: str) -> str:
    """Of AWS: run, family as far as there is room, and the digest that Luigi's task ids end with."""
    run, digest = _plain(run_id)[:40], _plain(task_id)[-10:]
    room = _LONGEST_SESSION - len(run) - len(digest) - 2
    return f"{run}-{_plain(family)[:room]}-{digest}"


def _plain(text: str) -> str:
    return _NOT_OF_SESSIONS.sub("-", text)
