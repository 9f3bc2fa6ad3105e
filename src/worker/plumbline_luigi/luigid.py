"""One quick question to the luigid, before a run that would otherwise retry for minutes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from luigi import rpc

from plumbline_luigi.refusal import Refusal

if TYPE_CHECKING:
    # A run that no gateway knows does without them, and starts faster.
    from plumbline_luigi.task_guard import RunGuard

SECONDS = 5.0
GATEWAY_SECONDS = 30.0
# Changes nothing, costs nothing, and every luigid since 2.8 has it.
QUESTION = "/api/is_pause_enabled"


def check_luigid(url: str, guard: RunGuard | None = None) -> None:
    """Asks with Luigi's own fetcher (proxy variables, user info, Unix sockets), or through the gateway of `guard`.

    Raises Refusal when no scheduler answers. A gateway is given time, since it may be starting again.
    """
    try:
        scheduler = rpc.RemoteScheduler(url, connect_timeout=SECONDS)
        if guard is not None:
            from plumbline_luigi.gateway_fetcher import GatewayFetcher

            scheduler._fetcher = GatewayFetcher(guard.client, guard.gate, GATEWAY_SECONDS, GATEWAY_SECONDS)
    except Exception as error:
        raise _unreachable(url, error) from None
    try:
        answer = scheduler._fetcher.fetch(rpc._urljoin(scheduler._url, QUESTION), {"data": "{}"}, SECONDS)
        if "response" not in json.loads(answer):
            raise ValueError("the answer is not a scheduler's")
    except Exception as error:
        raise _unreachable(url, error) from None
    finally:
        scheduler.close()


def _unreachable(url: str, error: Exception) -> Refusal:
    why = "the answer is not a scheduler's" if isinstance(error, ValueError) else str(getattr(error, "reason", error))
    return Refusal(
        "ERR_SCHEDULER_UNREACHABLE",
        f"The scheduler at {without_user_info(url)} cannot be used: {without_user_info(why)}",
        "Check the input `scheduler` and that a luigid listens there, or use `local`.",
    )


def without_user_info(text: str) -> str:
    """The text with `user:password@` removed from every URL in it."""
    return re.sub(r"([a-z][a-z0-9+.-]*://)[^/\s'\"]*@", r"\1", text, flags=re.IGNORECASE)
