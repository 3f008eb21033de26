"""Recipes: what is trained, on what, how; in a child process that inference pre-empts."""
