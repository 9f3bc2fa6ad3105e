"""What the run is asked to be: one JSON object on standard input."""

import json

from plumbline_luigi.gateway_access import gateway_access

PROTOCOL = 1


class RequestError(Exception):
    """The request is no object of this protocol; the message never shows a value of it."""


class Request:
    """The checked request. Field by field it is the table of docs/worker-protocol.md."""

    def __init__(self, fields):
        if fields.get("protocol") != PROTOCOL:
            raise RequestError("protocol must be %d" % PROTOCOL)
        self.run_id = _field(fields, "runId", str)
        # null is a choice, a missing field is a mistake: such a run would outlive everybody.
        self.parent_pid = _field(fields, "parentPid", int, None if "parentPid" in fields else _MISSING)
        self.events_file = _field(fields, "eventsFile", str)
        self.exit_file = _field(fields, "exitFile", str)
        self.module = _field(fields, "module", str)
        self.task = _field(fields, "task", str)
        self.parameters = _field(fields, "parameters", dict, {})
        self.secret_parameters = _field(fields, "secretParameters", dict, {})
        self.redact = tuple(_texts(_field(fields, "redact", list, [])))
        self.scheduler = _field(fields, "scheduler", str, "local")
        self.workers = _field(fields, "workers", int, 1)
        self.grace = _field(fields, "graceMs", (int, float), 1500) / 1000.0
        self.claim_file = _field(fields, "claimFile", str, None)
        self.output_file = _field(fields, "outputFile", str, None)
        self.output_max_bytes = _field(fields, "outputMaxBytes", int, 64 * 1024 * 1024)
        self.deadline = _field(fields, "deadlineSeconds", (int, float), None)
        self.end_all = _flag(fields, "endAll")
        self.umask = _field(fields, "umask", int, None)
        self.gateway = _gateway(fields.get("gateway"))
        if self.workers < 1:
            raise RequestError("workers must be at least 1")
        if self.gateway is not None and self.gateway.luigid and self.local_scheduler:
            raise RequestError("gateway.luigid needs a scheduler that is not local")

    @property
    def has_identities(self):
        return self.gateway is not None and self.gateway.identities

    @property
    def local_scheduler(self):
        return self.scheduler == "local"


def read_request(data):
    """The request in these bytes; raises RequestError."""
    try:
        fields = json.loads(data.decode("utf-8"))
    except ValueError:
        raise RequestError("standard input is not JSON") from None
    if not isinstance(fields, dict):
        raise RequestError("standard input is not a JSON object")
    return Request(fields)


_MISSING = object()


def _gateway(value):
    try:
        return gateway_access(value)
    except ValueError as error:
        raise RequestError(str(error)) from None


def _flag(fields, name):
    value = fields.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise RequestError("%s has the wrong type" % name)


def _field(fields, name, kind, default=_MISSING):
    value = fields.get(name)
    if value is None:
        if default is _MISSING:
            raise RequestError("%s is missing" % name)
        return default
    if not isinstance(value, kind) or isinstance(value, bool):
        raise RequestError("%s has the wrong type" % name)
    return value


def _texts(values):
    for value in values:
        if not isinstance(value, str):
            raise RequestError("redact holds something that is no text")
        if value:
            yield value
