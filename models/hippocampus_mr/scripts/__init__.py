"""Data, training and evaluation of the hippocampus bundle."""
