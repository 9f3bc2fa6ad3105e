"""What the worker needs of a gateway, on a Unix socket: the exchange of tokens, and the way to a real luigid.

Strict: whatever docs/worker-protocol.md does not say is refused and noted in `faults`, where every test looks at its end.
"""

import base64
import contextlib
import itertools
import json
import os
import re
import socketserver
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl

WORKER = "0b8f6a52-52a6-4a77-9a33-0a1d5f6a7b11.1"
TOKEN = f"plw_{WORKER}.{'Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFy-_1'}"
FIELDS = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token": TOKEN,
    "subject_token_type": "https://plumbline.dev/token-type/worker",
}
AZURE = {
    "kind": "azure",
    "audience": "api://AzureADTokenExchange",
    "clientId": "11111111-1111-4111-8111-111111111111",
    "tenantId": "22222222-2222-4222-8222-222222222222",
    "authorityHost": "https://login.microsoftonline.com/",
}
MAIL = {**AZURE, "clientId": "33333333-3333-4333-8333-333333333333"}
AWS = {"kind": "aws", "audience": "sts.amazonaws.com", "roleArn": "arn:aws:iam::123456789012:role/load", "region": "eu-central-1"}
GOOGLE = {
    "kind": "google",
    "audience": "https://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
    "provider": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
    "serviceAccount": "load@project.iam.gserviceaccount.com",
}
VAULT = {"kind": "file", "audience": "vault", "variable": "VAULT_JWT_FILE"}


class Refusal(Exception):
    def __init__(self, reason="family", mode="enforce", error="access_denied", status=400):
        super().__init__(reason)
        self.status = status
        self.fields = {
            "error": error,
            "error_description": f"The policy gives this task no token ({reason})",
            "code": "ERR_IDENTITY_REJECTED",
            "reason": reason,
            "mode": mode,
        }


class Raw(Exception):
    """Bytes instead of an answer; then the connection is closed."""

    def __init__(self, data=b"", after=0.0):
        super().__init__()
        self.data, self.after = data, after


class Unavailable(Exception):
    pass


class StandIn:
    """`identities`: family -> (name, targets). `decide(call)` may raise one of the above, for each exchange, before it is answered."""

    def __init__(self, path, luigid=None):
        self.path, self.luigid = str(path), luigid
        self.identities, self.renew_after, self.decide = {}, 60, lambda call: None
        self.decide_luigid = lambda call: None
        self.calls, self.luigid_calls, self.faults, self.tokens = [], [], [], []
        self._number, self._lock = itertools.count(1), threading.Lock()
        self._server = None

    def open(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self._server = _Server(self.path, _Handler)
        self._server.stand_in = self
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def close(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.drop()
            self._server = None

    def of(self, family):
        return [call for call in self.calls if call["task_family"] == family]

    def exchange(self, handler, fields):
        call = {**fields, "at": time.time(), "connection": handler.connection_number, "peer": handler.peer()}
        with self._lock:
            call["number"] = len(self.calls)
            self.calls.append(call)
        self.decide(call)
        name, targets = self.identities.get(fields["task_family"], (None, []))
        audience = fields.get("audience") or (targets[0]["audience"] if targets else "https://gateway.example")
        if targets and audience not in [target["audience"] for target in targets]:
            raise Refusal("audience", error="invalid_target")
        token = self._token(audience, fields, name)
        return {
            "access_token": token,
            "issued_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_type": "N_A",
            "expires_in": 600,
            "plumbline": {"identity": name, "audience": audience, "renewAfter": self.renew_after, "targets": targets},
        }

    def _token(self, audience, fields, name):
        with self._lock:
            number = next(self._number)
        claims = {"aud": audience, "sub": f"plumbline:{name or 'task'}", "jti": f"{number:08}", "task": fields["task_id"]}
        header, body = (_encode(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "1", "typ": "JWT"}, claims))
        token = f"{header}.{body}.{_encode(f'signature number {number} of the stand-in'.encode() * 6)}"
        with self._lock:
            self.tokens.append(token)
        return token


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128
    connections = itertools.count(1)

    def __init__(self, *args):
        super().__init__(*args)
        self.living = set()

    def handle_error(self, request, client_address):
        pass

    def drop(self):
        for connection in list(self.living):
            with contextlib.suppress(OSError):
                connection.shutdown(2)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.connection_number = next(self.server.connections)
        self.server.living.add(self.connection)

    def finish(self):
        self.server.living.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass

    def peer(self):
        """Pid of the process that connected; a forked child that shared the connection would have its parent's."""
        import socket
        import struct

        return struct.unpack("3i", self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

    def do_POST(self):
        stand_in = self.server.stand_in
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode("ascii")
        try:
            if self.path == "/v1/token":
                self._answer(200, stand_in.exchange(self, self._token_fields(body)))
            elif re.fullmatch(r"/luigid/api/[a-z_]+", self.path):
                self._luigid(body)
            else:
                self._fault(f"path {self.path}")
        except Refusal as refusal:
            self._answer(refusal.status, refusal.fields)
        except Unavailable:
            self._answer(503, {"code": "ERR_GATEWAY_UNAVAILABLE"}, {"Retry-After": "1"})
        except Raw as raw:
            time.sleep(raw.after)
            with contextlib.suppress(OSError):
                self.wfile.write(raw.data)
            self.close_connection = True

    def do_GET(self):
        self._fault("GET")

    def _token_fields(self, body):
        pairs = parse_qsl(body, strict_parsing=True, keep_blank_values=True)
        fields = dict(pairs)
        self._demand(len(fields) == len(pairs), "a field twice")
        self._demand(set(fields) - {"audience"} == {*FIELDS, "task_family", "task_id"}, f"fields {sorted(fields)}")
        self._demand(all(fields[name] == value for name, value in FIELDS.items()), "a field with another value")
        self._demand(fields["task_id"].startswith(fields["task_family"] + "_"), "a task of another family")
        self._demand("Authorization" not in self.headers, "an Authorization header at the exchange")
        self._demand(self.headers["Content-Type"] == "application/x-www-form-urlencoded", "content type")
        return fields

    def _luigid(self, body):
        stand_in = self.server.stand_in
        pairs = parse_qsl(body, strict_parsing=True, keep_blank_values=True)
        self._demand([name for name, _ in pairs] == ["data"], "not exactly one field data")
        self._demand(self.headers["Content-Type"] == "application/x-www-form-urlencoded", "content type")
        data = json.loads(pairs[0][1])
        call = {"method": self.path.rpartition("/")[2], "data": data, "peer": self.peer()}
        stand_in.luigid_calls.append(call)
        self._demand(self.headers.get_all("Authorization") == [f"Bearer {TOKEN}"], "not exactly our token")
        self._demand(data.get("worker", WORKER) == WORKER, f"worker {data.get('worker')}")
        stand_in.decide_luigid(call)
        try:
            with urllib.request.urlopen(f"{stand_in.luigid}{self.path[len('/luigid'):]}", body.encode(), timeout=20) as answer:
                self._send(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            self._send(error.code, error.read())
        except OSError:
            self._answer(502, {"code": "ERR_LUIGID_UNAVAILABLE"})

    def _demand(self, holds, what):
        if not holds:
            self._note(what)
            raise Refusal("invalid", error="invalid_request")

    def _fault(self, what):
        self._note(what)
        self._answer(404, {"code": "ERR_NOT_FOUND"})

    def _note(self, what):
        self.server.stand_in.faults.append(what)

    def _answer(self, status, fields, headers=()):
        self._send(status, json.dumps(fields).encode(), dict(headers))

    def _send(self, status, data, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(data)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
