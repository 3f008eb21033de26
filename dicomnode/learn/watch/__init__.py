"""Drift: what comes in, what goes out, and how they change."""
