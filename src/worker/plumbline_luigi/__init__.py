"""Runs one Luigi task for Plumbline and reports what Luigi does, one JSON line an event (docs/worker-protocol.md)."""

__version__ = "1.0.0"
