"""The dicomnode command."""
