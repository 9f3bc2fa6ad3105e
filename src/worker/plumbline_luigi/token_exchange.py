"""The exchange of the worker's token for a token of one task: RFC 8693 at the gateway's `/v1/token`."""

from __future__ import annotations

from urllib.parse import quote_plus as quote
from urllib.parse import urlencode

from plumbline_luigi.gateway_client import BadAnswer, Bounds, GatewayClient, NoAnswer
from plumbline_luigi.patience import Patience
from plumbline_luigi.rejection import Rejection
from plumbline_luigi.token_answer import Grant, read_answer

LARGEST = 256 * 1024
# Of one try. Of all together the request says how long they may take.
TRY_SECONDS = 15.0
_UNAVAILABLE = 503
_GRANT = urlencode(
    {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "https://plumbline.dev/token-type/worker",
    }
)


class TokenExchange:
    """Asks for tokens of one task. Instances can be pickled."""

    def __init__(self, client: GatewayClient, family: str, task_id: str, seconds: float):
        self._client = client
        self._family = family
        self._task_id = task_id
        self._seconds = seconds

    def grant(self, audience: str | None = None) -> Grant:
        """A token; without an audience, of the first that the task's identity has. Raises Rejection.

        A gateway that is away or not ready is asked again for as long as the request allows: it may be starting again. Any other
        answer than a good one is final.
        """
        patience = Patience(self._seconds)
        while True:
            why = "it is not ready (status 503)"
            try:
                answer = self._client.post("/v1/token", self._question(audience), _bounds(patience))
                if answer.status != _UNAVAILABLE:
                    return _checked(read_answer(answer), audience)
            except NoAnswer as error:
                why = str(error)
            except BadAnswer as error:
                raise Rejection("unreadable", f"the gateway's answer cannot be understood: {error}") from None
            if not patience.wait():
                raise Rejection("time-out", f"the gateway gave no token within {self._seconds:g} s: {why}")

    def _question(self, audience: str | None) -> bytes:
        asked = f"{_GRANT}&subject_token={self._client.token}&task_family={quote(self._family)}&task_id={quote(self._task_id)}"
        return (asked if audience is None else f"{asked}&audience={quote(audience)}").encode("ascii")


def _bounds(patience: Patience) -> Bounds:
    seconds = min(TRY_SECONDS, max(patience.left(), 0.1))
    return Bounds(LARGEST, seconds, seconds)


def _checked(grant: Grant, audience: str | None) -> Grant:
    wanted = audience or (grant.targets[0]["audience"] if grant.targets else grant.audience)
    if grant.audience != wanted:
        raise Rejection("unreadable", "the gateway's token is of another audience than the one that was asked for")
    return grant
