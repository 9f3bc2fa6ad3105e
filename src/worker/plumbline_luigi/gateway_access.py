"""What the request says of the gateway: where it listens, and what proves this run to it. Readable by every Python 3."""

import re

# `plw_<run id>.<attempt>.<code>`, see docs/worker-protocol.md.
_TOKEN = re.compile(r"plw_[A-Za-z0-9._-]{8,256}\Z")
_FIELDS = frozenset(("socket", "token", "identities", "luigid", "timeoutSeconds"))


class GatewayAccess:
    """The checked field `gateway`. The token is in memory alone, and no text of this object shows it."""

    def __init__(self, socket, token, identities, luigid, timeout):
        self.socket = socket
        self.token = token
        self.identities = identities
        self.luigid = luigid
        self.timeout = timeout


def gateway_access(fields):
    """The access in the value of the field, or None when there is none; raises ValueError that never shows a value of it."""
    if fields is None:
        return None
    if not isinstance(fields, dict) or set(fields) != _FIELDS:
        raise ValueError("gateway must have exactly the fields %s" % ", ".join(sorted(_FIELDS)))
    socket, token, timeout = fields["socket"], fields["token"], fields["timeoutSeconds"]
    _demand(isinstance(socket, str) and socket.startswith("/") and "\0" not in socket, "socket")
    _demand(isinstance(token, str) and _TOKEN.match(token) is not None, "token")
    for name in ("identities", "luigid"):
        _demand(isinstance(fields[name], bool), name)
    _demand(isinstance(timeout, (int, float)) and not isinstance(timeout, bool) and 0 < timeout <= 3600, "timeoutSeconds")
    return GatewayAccess(socket, token, fields["identities"], fields["luigid"], timeout)


def _demand(holds, name):
    if not holds:
        raise ValueError("gateway.%s cannot be used" % name)
