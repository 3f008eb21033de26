"""Structured reports: Comprehensive 3D SR after TID 1500, one for each answer a run can give."""
