"""The loop, measured through the node: images and readers' labels in, a candidate, a verdict, results out again."""
