"""MONAI bundles run in a child process of their own."""
