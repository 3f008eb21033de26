"""A PACS-integrated DICOM node: studies in, findings out as DICOM SEG and SR."""

__version__ = "0.1.0"
