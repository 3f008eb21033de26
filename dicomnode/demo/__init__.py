"""The main job on the embedded default, for a trial."""
