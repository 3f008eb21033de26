"""The body part of a result, and its side: unknown, wherever the standard asks for one."""

from pydicom import Dataset

# fmt: off
UNPAIRED = frozenset((
    "ABDOMEN", "AORTA", "BACK", "BLADDER", "BRAIN", "CEREBELLUM", "CERVIX", "CHEST", "COCCYX", "COLON",
    "CORONARYARTERY", "CSPINE", "CTSPINE", "DUODENUM", "ESOPHAGUS", "FACE", "GALLBLADDER", "HEAD", "HEADNECK",
    "HEART", "ILEUM", "ILIUM", "JAW", "JEJUNUM", "LARYNX", "LIVER", "LSPINE", "LSSPINE", "MAXILLA", "MEDIASTINUM",
    "MOUTH", "NECK", "NOSE", "PANCREAS", "PELVIS", "PENIS", "PHARYNX", "PROSTATE", "RECTUM", "SCALP", "SKULL",
    "SPINE", "SPLEEN", "SSPINE", "STERNUM", "STOMACH", "THYMUS", "THYROID", "TLSPINE", "TONGUE", "TRACHEA",
    "TSPINE", "URETER", "UTERUS", "VAGINA", "VULVA", "WHOLEBODY",
))
"""Defined terms of Body Part Examined that have no side (PS3.16 Annex L)."""
# fmt: on


def add_body_part(dataset: Dataset, source: Dataset) -> None:
    """Copy the body part; Laterality is empty where it has a side or is not named (type 2C, PS3.3 C.7.3.1).

    Its value is never copied: a side is written only where dicom.toml fixes one.
    """
    part = str(source.get("BodyPartExamined") or "")
    if part:
        dataset.BodyPartExamined = part
    if part not in UNPAIRED:
        dataset.Laterality = ""
