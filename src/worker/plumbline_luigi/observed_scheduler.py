"""The scheduler as the task's own process sees it: what tasks say about themselves while they run.

With fork and the local scheduler the worker never hears of it, so these events are written where the call is made.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from luigi import rpc, scheduler

from plumbline_luigi.events import EventLog

if TYPE_CHECKING:
    # A run that no gateway knows does without them, and starts faster.
    from plumbline_luigi.task_guard import RunGuard


class _Observed:
    plumbline_events: EventLog

    def add_task(self, *args, **kwargs):
        answer = super().add_task(*args, **kwargs)
        if kwargs.get("tracking_url") is not None:
            self.plumbline_events.emit("tracking", task=kwargs.get("task_id"), url=_text(kwargs["tracking_url"]))
        return answer

    def set_task_status_message(self, task_id, status_message):
        answer = super().set_task_status_message(task_id, status_message)
        self.plumbline_events.emit("status", task=task_id, message=_text(status_message))
        return answer

    def set_task_progress_percentage(self, task_id, progress_percentage):
        answer = super().set_task_progress_percentage(task_id, progress_percentage)
        percent = _number(progress_percentage)
        if percent is not None:
            self.plumbline_events.emit("progress", task=task_id, percent=percent)
        return answer


class ObservedLocalScheduler(_Observed, scheduler.Scheduler):
    """Luigi's in-memory scheduler."""


class ObservedRemoteScheduler(_Observed, rpc.RemoteScheduler):
    """Luigi's client of a luigid."""

    def through_gateway(self, guard: RunGuard) -> ObservedRemoteScheduler:
        """From now on it asks by the gateway's socket, which waits for as long as Luigi would have tried, or longer."""
        from plumbline_luigi.gateway_fetcher import GatewayFetcher

        self.close()
        patience = self._rpc_retry_attempts * self._rpc_retry_wait
        self._fetcher = GatewayFetcher(guard.client, guard.gate, patience)
        self._rpc_retry_attempts = 1
        return self


def _text(value) -> str:
    try:
        return "" if value is None else str(value)
    except Exception:
        # The user's own object: its failure to print must not become the task's.
        return "(the value cannot be printed)"


def _number(value) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
