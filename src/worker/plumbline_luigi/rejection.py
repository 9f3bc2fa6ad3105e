"""Why a task, or the whole run, has lost its identity."""

from __future__ import annotations


class Rejection(Exception):
    """`reason` is one word of the gateway's or of ours, `reported` says that the task may run all the same, without a token."""

    def __init__(self, reason: str, message: str, status: int | None = None, reported: bool = False):
        super().__init__(message)
        self.reason = reason
        self.status = status
        self.reported = reported
