"""Model bundles: their dicom.toml, digest and approval."""
