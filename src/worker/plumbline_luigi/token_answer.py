"""What the gateway answers to the exchange of a token: read strictly, since whatever cannot be understood must end the run."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from plumbline_luigi.http_answer import Answer
from plumbline_luigi.rejection import Rejection

_JWS = re.compile(r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\Z")
_WORD = re.compile(r"[a-z0-9_.-]{1,64}\Z", re.IGNORECASE)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_LONGEST_MESSAGE = 1000
_MOST_TARGETS = 16
# kind -> the texts that it must have, and those that it may have
_TARGETS = {
    "azure": (("clientId", "tenantId", "authorityHost"), ()),
    "aws": (("roleArn",), ("region",)),
    "google": (("provider",), ("serviceAccount",)),
    "file": (("variable",), ()),
}


@dataclass(frozen=True, repr=False)
class Grant:
    """A token of one audience, and everything else that the task can ask for."""

    token: str
    audience: str
    identity: str | None
    renew_after: float
    targets: tuple[dict, ...]


def read_answer(answer: Answer) -> Grant:
    """The token in this answer; raises Rejection."""
    fields = _json(answer)
    if answer.status == 200:
        try:
            return _grant(fields)
        except (KeyError, TypeError, ValueError):
            raise _unreadable(answer.status) from None
    raise _refusal(answer.status, fields)


def refusal(answer: Answer) -> Rejection:
    """What a refusal says, however little of it can be read."""
    try:
        return _refusal(answer.status, _json(answer))
    except Rejection:
        return _refusal(answer.status, {})


def _json(answer: Answer) -> dict:
    try:
        fields = json.loads(answer.body)
    except (ValueError, RecursionError):
        fields = None
    if isinstance(fields, dict):
        return fields
    raise _unreadable(answer.status)


def _unreadable(status: int) -> Rejection:
    return Rejection("unreadable", f"the gateway's answer cannot be understood (status {status})", status)


def _refusal(status: int, fields: dict) -> Rejection:
    reason, said = fields.get("reason"), fields.get("error_description")
    reason = reason if isinstance(reason, str) and _WORD.match(reason) else f"status-{status}"
    message = said if isinstance(said, str) and said else "the gateway refused a token"
    reported = status == 400 and fields.get("mode") == "report" and fields.get("code") == "ERR_IDENTITY_REJECTED"
    return Rejection(reason, message[:_LONGEST_MESSAGE], status, reported)


def _grant(fields: dict) -> Grant:
    if fields["token_type"] != "N_A" or fields["issued_token_type"] != "urn:ietf:params:oauth:token-type:jwt":
        raise ValueError
    said = fields["plumbline"]
    targets = tuple(_target(one) for one in said["targets"])
    if len(targets) > _MOST_TARGETS:
        raise ValueError
    token, identity = fields["access_token"], said["identity"]
    if not isinstance(token, str) or not _JWS.match(token) or not (identity is None or isinstance(identity, str)):
        raise ValueError
    renew_after = min(_seconds(said["renewAfter"]), _seconds(fields["expires_in"]))
    return Grant(token, _text(said["audience"]), identity, renew_after, targets)


def _seconds(value) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 86_400:
        raise ValueError
    return value


def _target(fields: dict) -> dict:
    must, may = _TARGETS[fields["kind"]]
    target = {name: _text(fields[name]) for name in ("kind", "audience", *must)}
    target.update({name: _text(fields[name]) for name in may if fields.get(name) is not None})
    if "variable" in target and not _VARIABLE.match(target["variable"]):
        raise ValueError
    return target


def _text(value) -> str:
    """Text that can be the value of an environment variable."""
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 2048:
        raise ValueError
    return value
