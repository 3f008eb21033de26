"""CAD reports: the Structured Reports that mammography and chest workstations display as marks on the image."""
