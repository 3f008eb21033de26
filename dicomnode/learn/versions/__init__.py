"""Versions of a model: immutable, content-addressed; in shadow, in use, rolled back; and the record of decisions."""
