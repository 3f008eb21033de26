"""Associations that we open: to a PACS we ask, move from, or send to."""
