"""The DICOM SCP: C-ECHO, C-STORE and Storage Commitment."""
