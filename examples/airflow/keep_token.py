"""Keeps a token of this machine's managed identity in a file, for DAGs that show it to the gateway.

    python3 keep_token.py RESOURCE FILE [--once]

RESOURCE is what the gateway's policy names as audience: api://plumbline-gateway. Run it as the user of Airflow's workers, as a
service; FILE is on a tmpfs, in a folder that only this user may enter. The token is replaced when half of its life is over; while Azure
does not answer, the old one stays and Azure is asked again every 10 s. Nothing but the standard library is needed.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

INSTANCE_METADATA = "http://169.254.169.254/metadata/identity/oauth2/token"
AGAIN_SECONDS = 10
# The machine's own services are never behind a proxy.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(resource: str) -> tuple[str, int]:
    """The token, and when it ends (seconds since the epoch)."""
    endpoint = os.environ.get("IDENTITY_ENDPOINT")
    if endpoint:  # App Service, Container Apps
        version, headers = "2019-08-01", {"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]}
    else:
        endpoint, version, headers = INSTANCE_METADATA, "2018-02-01", {"Metadata": "true"}
    query = {"api-version": version, "resource": resource}
    if os.environ.get("AZURE_CLIENT_ID"):
        query["client_id"] = os.environ["AZURE_CLIENT_ID"]
    request = urllib.request.Request(f"{endpoint}?{urllib.parse.urlencode(query)}", headers=headers)
    with OPENER.open(request, timeout=10) as answer:
        body = json.load(answer)
    return body["access_token"], int(body["expires_on"])


def write(path: str, token: str) -> None:
    """For this user's eyes only; whoever reads it finds the old token or the new one, never a part."""
    new = f"{path}.{os.getpid()}"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token)
    os.replace(new, path)


def keep(resource: str, path: str, once: bool) -> None:
    while True:
        try:
            token, ends = ask(resource)
            write(path, token)
            pause = max(AGAIN_SECONDS, (ends - time.time()) / 2)
        except (OSError, KeyError, ValueError) as error:
            # The answer is not shown: a part of it may be a token.
            reason = error.code if isinstance(error, urllib.error.HTTPError) else type(error).__name__
            print(f"no token for {resource}: {reason}", file=sys.stderr, flush=True)
            if once:
                sys.exit(1)
            pause = AGAIN_SECONDS
        if once:
            return
        time.sleep(pause)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--once"]
    if len(words) != 2:
        sys.exit("usage: keep_token.py RESOURCE FILE [--once]")
    keep(*words, once="--once" in sys.argv)
