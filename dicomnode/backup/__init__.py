"""`dicomnode backup` and `restore`: what a lost disk would take, in one file."""
