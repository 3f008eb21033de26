"""Training sets: pixels after the bundle's own preprocessing, labels, and pseudonymous ids."""
