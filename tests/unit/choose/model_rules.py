"""The rules of a model made for a test."""

from dicomnode.bundles.dicom_toml import DicomToml

CODE = {"value": "1", "scheme": "99TEST", "meaning": "test"}
MODEL = {"name": "m", "kind": "segmentation", "title": "M", "intended_use": "test", "procedure": CODE, "site": CODE}


def rules(domain: dict[str, object] | None = None, **series: object) -> DicomToml:
    """A dicom.toml that takes CT, with these series rules."""
    return DicomToml.model_validate(
        {
            "model": MODEL,
            "segments": [{"index": 1, "label": "s", "category": CODE, "type": CODE}],
            "domain": domain or {},
            "series": {"modalities": ["CT"], **series},
        }
    )
