"""Labels come in by themselves: reports, segmentations, structure sets, key objects, tables, persons."""
