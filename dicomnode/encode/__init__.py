"""Predictions as DICOM SEG and SR, and the door that checks them."""
