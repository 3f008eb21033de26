"""The report on a candidate, for a radiologist and a regulator: one HTML file."""
