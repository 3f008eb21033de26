"""Moments, as the commands print them."""

from datetime import UTC, datetime


def minute(at_s: float) -> str:
    """UTC, to the minute: "2026-03-04 10:05"."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M")
