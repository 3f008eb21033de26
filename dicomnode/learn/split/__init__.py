"""Every patient belongs to one split for life."""
