"""Luigi's way to a luigid that is behind the gateway: by the gateway's socket, with the worker's token in a header."""

from __future__ import annotations

import logging
from urllib.parse import urlencode, urlsplit

from luigi.rpc import _FetcherInterface

from plumbline_luigi.gateway_client import BadAnswer, Bounds, GatewayClient, NoAnswer
from plumbline_luigi.patience import Patience
from plumbline_luigi.run_gate import RunGate
from plumbline_luigi.token_answer import refusal

# luigid answers with whole lists of tasks.
LARGEST = 512 * 1024 * 1024
# Of one answer from its beginning to its end; until something comes, Luigi's own time-out counts.
ANSWER_SECONDS = 300.0
# A gateway that starts again, and a luigid that does, must not end a run.
SHORTEST_PATIENCE = 120.0
_AWAY = frozenset((502, 503, 504))
_REFUSED = frozenset((401, 403))

logger = logging.getLogger("luigi-interface")


class LuigidError(Exception):
    """No use can be made of luigid's answer, or there is none."""


class _Away(Exception):
    """It may be back in a moment."""


class GatewayFetcher(_FetcherInterface):
    """Instances can be pickled; each process and each thread has its own connection."""

    raises = (LuigidError,)

    def __init__(self, client: GatewayClient, gate: RunGate, seconds: float, shortest: float = SHORTEST_PATIENCE):
        self._client = client
        self._gate = gate
        self._seconds = max(seconds, shortest)

    def fetch(self, full_url, body, timeout):
        """The answer's text. A refusal of the gateway's ends the whole run, and this never returns."""
        patience, path, data = Patience(self._seconds), urlsplit(full_url).path, urlencode(body).encode("ascii")
        said = False
        while True:
            try:
                return self._once(path, data, timeout)
            except _Away as away:
                if not said:
                    logger.warning("Waiting for the scheduler, for up to %d s: %s", self._seconds, away)
                said = True
                if not patience.wait():
                    raise LuigidError(f"luigid was not reached through the gateway within {self._seconds:g} s: {away}") from None

    def _once(self, path: str, data: bytes, quiet: float) -> str:
        try:
            answer = self._client.post(path, data, Bounds(LARGEST, ANSWER_SECONDS, quiet), authorised=True)
        except NoAnswer as error:
            raise _Away(f"the gateway is away: {error}") from None
        except BadAnswer as error:
            raise LuigidError(f"luigid's answer through the gateway cannot be understood: {error}") from None
        if answer.status in _REFUSED:
            self._gate.reject_and_wait(refusal(answer))
        if answer.status in _AWAY:
            raise _Away(f"luigid is away (status {answer.status})")
        if answer.status != 200:
            raise LuigidError(f"luigid answered through the gateway with status {answer.status}")
        return _text(answer.body)

    def close(self):
        self._client.close()


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise LuigidError("luigid's answer through the gateway is no text") from None
