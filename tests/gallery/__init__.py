"""Pictures and reports of ten inputs, for people to look at: `python -m tests.gallery FOLDER`."""
