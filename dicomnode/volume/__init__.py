"""Volumes built from the geometry of the images."""
