"""What a bundle does to an image before its network sees it, as one digest: another one refuses a training set.

Nothing of the bundle is run here. What only comes after the network (postprocessing, dicom.toml's thresholds) does not
count, so that a version that was tuned from a bundle shares its items.
"""

import hashlib
import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.bundles.digest import content_digest
from dicomnode.errors import ModelFault

CONFIGS = ("inference.json", "inference.yaml", "inference.yml")
ALWAYS = ("imports", "preprocessing")
REFERENCE = re.compile(r"[@%]([A-Za-z_]\w*)")
"""Of another part of a configuration, in MONAI's notation."""
OWN_PARTS = {"bundle_root", "device"}
"""What we set ourselves."""


def preprocessing_digest(bundle: Path) -> str:
    """SHA-256 over the preprocessing, what it refers to, the bundle's scripts and MONAI's version, hex.

    Raises:
        ModelFault: the bundle has no configuration.
    """
    total = hashlib.sha256(_preprocessing(bundle).encode())
    for script in sorted((bundle / "scripts").rglob("*.py")):
        total.update(f"{script.relative_to(bundle).as_posix()} {content_digest(script)}\n".encode())
    dimensions = load_dicom_toml(bundle).series.dimensions
    total.update(f"channels {_channels(bundle)} dimensions {dimensions} monai {version('monai')}".encode())
    return total.hexdigest()


def _preprocessing(bundle: Path) -> str:
    path = next((bundle / "configs" / name for name in CONFIGS if (bundle / "configs" / name).is_file()), None)
    if path is None:
        raise ModelFault(f"bundle {bundle.name} has none of configs/{', configs/'.join(CONFIGS)}")
    text = path.read_text(encoding="utf-8")
    return _needed(json.loads(text)) if path.suffix == ".json" else text


def _needed(config: dict[str, Any]) -> str:
    """The parts of a configuration that its preprocessing needs."""
    found: dict[str, Any] = {}
    left = [name for name in ALWAYS if name in config]
    while left:
        name = left.pop()
        if name in found or name in OWN_PARTS or name not in config:
            continue
        found[name] = config[name]
        left += REFERENCE.findall(json.dumps(config[name]))
    return json.dumps(found, sort_keys=True)


def _channels(bundle: Path) -> object:
    path = bundle / "configs" / "metadata.json"
    if not path.is_file():
        return None
    told = json.loads(path.read_text(encoding="utf-8")).get("network_data_format", {}).get("inputs", {})
    return next((entry.get("num_channels") for entry in told.values() if isinstance(entry, dict)), None)
