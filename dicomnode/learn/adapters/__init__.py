"""Adapters: small files that change a base network, bound to its digest."""
