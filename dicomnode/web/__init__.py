"""Health and metrics on loopback: counts and ages, no identity."""

from dicomnode.web.server import run_web

__all__ = ["run_web"]
