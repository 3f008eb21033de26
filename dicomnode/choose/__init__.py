"""Which models a study gets, and which series each model takes."""
