"""The clouds' own libraries in a task's process: each finds the task's identity by the environment alone."""

import json
import os
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from conftest import REPOSITORY
from gateway_stand_in import AWS, AZURE, GOOGLE, VAULT, WORKER

from plumbline_luigi.cloud_variables import AMBIENT

CLOUDS = Path(os.environ.get("CLOUDS_PYTHON", REPOSITORY / ".cache" / "python" / "clouds-3.13" / "bin" / "python"))
pytestmark = pytest.mark.skipif(not CLOUDS.exists(), reason="no Python with the libraries of the clouds")

ANSWER = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIATASK</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/load/x</Arn><AssumedRoleId>A:x</AssumedRoleId></AssumedRoleUser>
</AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>"""


@pytest.fixture
def sts(gateway):
    """AWS's token service as far as its documentation says what it takes; gives its URL and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            fields = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode(), strict_parsing=True))
            asked.append(fields)
            good = fields.get("Action") == "AssumeRoleWithWebIdentity" and fields.get("Version") == "2011-06-15"
            good = good and fields.get("WebIdentityToken") in gateway.tokens and fields.get("RoleArn") == AWS["roleArn"]
            good = good and "Authorization" not in self.headers
            self.send_response(200 if good else 403)
            self.end_headers()
            self.wfile.write(ANSWER.encode() if good else b"<ErrorResponse/>")

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_boto3_google_auth_and_azure_identity_find_the_tasks_identity(run_known, folder, gateway, sts):
    url, asked = sts
    gateway.identities = {"Uses": ("uses", [AWS, GOOGLE, AZURE])}
    ambient = {
        "AWS_ENDPOINT_URL_STS": url,
        "AWS_ACCESS_KEY_ID": "AKIAAMBIENT",
        "AWS_SECRET_ACCESS_KEY": "ambient",
        "AWS_PROFILE": "ambient",
        "AZURE_CLIENT_SECRET": "ambient",
        "GOOGLE_APPLICATION_CREDENTIALS": "/ambient.json",
        "NO_PROXY": "127.0.0.1",
    }
    ended = run_known("clouds", "Uses", {"clouds": ["aws", "google", "azure"]}, python=str(CLOUDS), env=ambient)
    assert ended.status == 0, ended.describe()
    found = json.loads((folder / "out" / "clouds.json").read_text())
    assert found["aws"] == {"method": "assume-role-with-web-identity", "key": "ASIATASK", "region": AWS["region"]}
    assert len(asked) == 1 and asked[0]["RoleSessionName"].startswith(f"{WORKER}-Uses-")
    google = found["google"]
    assert google["url"] == "https://sts.googleapis.com/v1/token" and google["audience"] == GOOGLE["provider"]
    assert google["subject_token"] == gateway.tokens[1] and google["as"] == GOOGLE["serviceAccount"]
    assert google["subject_token_type"] == "urn:ietf:params:oauth:token-type:jwt"
    azure = found["azure"]
    assert azure["url"] == f"https://login.microsoftonline.com/{AZURE['tenantId']}/oauth2/v2.0/token"
    assert azure["client_id"] == AZURE["clientId"] and azure["client_assertion"] == gateway.tokens[2]
    assert azure["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert not [token for token in gateway.tokens if token in ended.out + ended.err]
    assert not (folder / "identity").exists()


MACHINE = """
import json, socket, luigi

class Asks(luigi.Task):
    def output(self): return luigi.LocalTarget('asked')
    def run(self):
        asked = []
        def connect(_, address):
            asked.append(str(address[0]))
            raise ConnectionRefusedError
        socket.socket.connect = connect
        import azure.identity, boto3, google.auth
        for ask in (
            lambda: azure.identity.DefaultAzureCredential().get_token('https://vault.azure.net/.default'),
            lambda: azure.identity.ManagedIdentityCredential().get_token('https://vault.azure.net/.default'),
            lambda: boto3.Session().get_credentials().access_key,
            google.auth.default,
        ):
            try:
                asked.append('got ' + str(ask()))
            except Exception:
                pass
        with self.output().open('w') as file: json.dump(asked, file)
"""


@pytest.mark.parametrize("families", [{}, {"Asks": ("uses", [VAULT])}], ids=["nobody", "of no cloud"])
def test_whoever_has_no_identity_in_a_cloud_is_not_the_machine_there(run_known, folder, gateway, families):
    gateway.identities = families
    (folder / "machine.py").write_text(MACHINE)
    ended = run_known("machine", "Asks", python=str(CLOUDS), env={"HOME": str(folder)})
    assert ended.status == 0, ended.describe()
    asked = json.loads((folder / "asked").read_text())
    assert set(asked) <= {"127.0.0.1"}, asked


# Variables in the same source files that say nothing of who one is.
HARMLESS = {
    *("AZURE_REGIONAL_AUTHORITY_NAME", "AWS_REGION", "AWS_EC2_METADATA_DISABLED"),
    *("AZURE_GERMANY", "AZURE_IDENTITY_DISABLE_MULTITENANTAUTH"),
}
SOURCES = """
import azure.identity._constants, botocore.credentials, google.auth.environment_vars
for module in (azure.identity._constants, botocore.credentials):
    print(open(module.__file__).read())
print("GOOGLE", "'" + google.auth.environment_vars.CREDENTIALS + "'", "'" + google.auth.environment_vars.CLOUD_SDK_CONFIG_DIR + "'")
"""


def test_every_variable_by_which_these_libraries_become_somebody_leaves_a_task():
    text = subprocess.run([CLOUDS, "-c", SOURCES], capture_output=True, text=True, check=True).stdout
    names = set(re.findall(r"""["']((?:AZURE|AWS|MSI|IDENTITY|IMDS|GOOGLE|CLOUDSDK)_[A-Z0-9_]+)["']""", text))
    assert {"AZURE_CLIENT_SECRET", "AWS_ACCESS_KEY_ID", "GOOGLE_APPLICATION_CREDENTIALS"} <= names
    assert sorted(names - HARMLESS - set(AMBIENT)) == []
