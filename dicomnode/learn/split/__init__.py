"""A patient belongs to one split for life: keyed hashes, merges, sealed sets."""
