"""When a study is complete, decided from the index alone."""
