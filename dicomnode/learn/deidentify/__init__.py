"""DICOM that leaves for research: the Basic Profile of PS3.15 Annex E, as a table that can print itself."""
