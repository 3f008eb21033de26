"""The rules of the gate, one file each: G0 to G8. Each has a version, which changes with what it asks."""
