"""A MONAI bundle, loaded as it is. Only ever in a process of its own: a bundle is code.

What reads and writes files is left out of its configuration (`LoadImaged`, `SaveImaged`): the node
hands it an image in memory and takes the prediction from memory. Pre- and postprocessing run on the
CPU; the network runs where `forward` puts it.
"""

import json
import os
import pickle
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.inferers import Inferer, SimpleInferer
from monai.transforms import Compose

from dicomnode.bundles.dicom_toml import Activation, DicomToml, Kind, load_dicom_toml
from dicomnode.bundles.digest import ADAPTER, body_digest, content_digest
from dicomnode.errors import ModelFault
from dicomnode.learn.adapters.file import Adapter, read_adapter
from dicomnode.learn.adapters.swap import Swap

CONFIGS = ("inference.json", "inference.yaml", "inference.yml")
LOADERS = ("LoadImage", "EnsureChannelFirst")
SAVERS = ("Save",)
INVERTERS = ("Invert",)
BOX_CHANGERS = ("AffineBoxTo", "ConvertBox", "ClipBox", "DeleteItems")
"""What a detection bundle does to its boxes before it saves them; `detect` brings them back by itself."""
ACTIVATORS = ("Activations", "AsDiscrete")
ADAPTERS_IN_MEMORY = 16
"""Each takes a few megabytes at most."""
REFERENCE = re.compile(r"\$?@([\w:#]+)")
"""Another place in a bundle's configuration."""
NESTED = ("state_dict", "model", "network")
"""Keys below which some bundles keep their state dict."""


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle."""

    folder: Path
    dicom: DicomToml
    network: torch.nn.Module
    """In eval mode, on the CPU."""
    preprocessing: Compose
    inferer: Inferer
    postprocessing: Compose | None
    image_key: str
    """Key of the image in the dictionaries that the transforms pass on."""
    channels: int
    """Channels of the network's input; a grey image is repeated."""
    rows_first: bool
    """Whether a 2D image was loaded as (row, column); MONAI's readers give (column, row)."""
    inverts: bool
    """The bundle's own postprocessing goes back to the source grid."""
    activation: Activation
    """What turns the network's output into probabilities."""
    activates: bool
    """The bundle's own postprocessing does so."""
    configured: Activation
    """The activation that its configuration names, for a dicom.toml that names none."""
    body: str
    """Digest of what it shares with the other versions of its base."""
    swap: Swap
    """Its network, and the adapter that is in it."""


def load_bundle(folder: Path) -> Bundle:
    """Load an approved bundle.

    Raises:
        ModelFault: a part is missing, or the weights do not fit the network.
    """
    dicom = load_dicom_toml(folder)
    parser = _parser(folder)
    loader = _step(parser, "preprocessing", "LoadImage")
    activator = _step(parser, "postprocessing", "Activations")
    inverts = bool(_step(parser, "postprocessing", *INVERTERS))
    _leave_out(parser, "preprocessing", LOADERS)
    _leave_out(parser, "postprocessing", SAVERS if dicom.model.kind is not Kind.DETECTION else (*SAVERS, *BOX_CHANGERS))
    image_key = _resolved(parser, _first(loader.get("keys", "image")))
    if not isinstance(parser.get("preprocessing"), str) and not _steps(parser, "preprocessing"):
        # MONAI can only invert something
        parser["preprocessing"] = {"_target_": "Compose", "transforms": [{"_target_": "Identityd", "keys": image_key}]}
    network = _network(parser, folder)
    swap = Swap(network)
    swap.apply(adapter_of(folder))
    _part(parser, "detector_ops")  # a detector is set up by these before its inferer is made
    return Bundle(
        folder,
        dicom,
        network,
        _part(parser, "preprocessing"),
        _part(parser, "inferer") or SimpleInferer(),
        _part(parser, "postprocessing"),
        image_key=image_key,
        channels=_input_channels(folder),
        rows_first=loader.get("reverse_indexing") is False,
        inverts=inverts,
        activation=_activation(dicom.activation, _configured(activator)),
        activates=bool(_step(parser, "postprocessing", *ACTIVATORS)),
        configured=_configured(activator),
        body=body_digest(folder),
        swap=swap,
    )


def as_version(bundle: Bundle, folder: Path) -> Bundle:
    """Another version of the base that is loaded, in the same network: `bundle` is not to be used any more.

    Raises:
        ModelFault: it has another base, or its adapter does not fit; the network is the base then.
    """
    dicom = load_dicom_toml(folder)
    bundle.swap.apply(None)
    if body_digest(folder) != bundle.body or dicom.model.kind is not bundle.dicom.model.kind:
        raise ModelFault(f"{folder} is no version of the base that is loaded")
    bundle.swap.apply(adapter_of(folder))
    return replace(bundle, folder=folder, dicom=dicom, activation=_activation(dicom.activation, bundle.configured))


def adapter_of(folder: Path) -> Adapter | None:
    """The adapter of a version; None where it has none. The last few stay in memory."""
    path = folder / ADAPTER
    return _read(path, content_digest(path)) if path.is_file() else None


@lru_cache(maxsize=ADAPTERS_IN_MEMORY)
def _read(path: Path, _: str) -> Adapter:
    return read_adapter(path)


def _parser(folder: Path) -> ConfigParser:
    path = next((folder / "configs" / name for name in CONFIGS if (folder / "configs" / name).is_file()), None)
    if path is None:
        raise ModelFault(f"bundle {folder.name} has none of configs/{', configs/'.join(CONFIGS)}")
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode, sys.pycache_prefix = True, os.devnull  # its caches are not under the digest
    parser = ConfigParser()
    parser.read_config(str(path))
    metadata = folder / "configs" / "metadata.json"
    if metadata.is_file():
        parser.read_meta(str(metadata))
    parser["bundle_root"], parser["device"] = str(folder), torch.device("cpu")
    return parser


def _step(parser: ConfigParser, part: str, *names: str) -> Mapping[str, Any]:
    """Configuration of the first transform with such a name; empty where there is none."""
    steps = _steps(parser, part)
    return next((step for step in steps if _name(step).startswith(names)), {})


def _leave_out(parser: ConfigParser, part: str, names: tuple[str, ...]) -> None:
    if steps := _steps(parser, part):
        parser[f"{part}::transforms"] = [step for step in steps if not _name(step).startswith(names)]


def _steps(parser: ConfigParser, part: str) -> list[Mapping[str, Any]]:
    config = parser.get(part)
    steps = config.get("transforms", []) if isinstance(config, dict) else []
    if isinstance(steps, str) and (elsewhere := REFERENCE.fullmatch(steps.strip())):
        steps = parser.get(elsewhere[1])
    return list(steps) if isinstance(steps, list) else []


def _resolved(parser: ConfigParser, text: str) -> str:
    """A name that may stand elsewhere in the configuration ("@image_key")."""
    named = REFERENCE.fullmatch(text.strip())
    return str(parser.get_parsed_content(named[1])) if named else text


def _name(step: object) -> str:
    target = step.get("_target_", "") if isinstance(step, Mapping) else ""
    return str(target).rsplit(".", 1)[-1]


def _part(parser: ConfigParser, name: str) -> Any:  # noqa: ANN401 -- whatever the bundle builds
    return parser.get_parsed_content(name) if parser.get(name) is not None else None


def _network(parser: ConfigParser, folder: Path) -> torch.nn.Module:
    part = next((name for name in ("network_def", "network", "net") if parser.get(name) is not None), None)
    if part is None:
        raise ModelFault(f"bundle {folder.name} has neither network_def nor network")
    _without_downloads(parser.get(part))
    network = parser.get_parsed_content(part)
    if not isinstance(network, torch.nn.Module):
        raise ModelFault(f"{part} of bundle {folder.name} is no network but {type(network).__name__}")
    try:
        network.load_state_dict(_weights(folder / "models" / "model.pt"))
    except RuntimeError as fault:
        raise ModelFault(f"weights of bundle {folder.name} do not fit its network: {fault}") from fault
    return network.eval()


def _without_downloads(config: object) -> None:
    """Some bundles fetch pretrained weights while the network is built, only to replace them by their own."""
    if isinstance(config, dict):
        if config.get("pretrained") is True:
            config["pretrained"] = False
        for value in config.values():
            _without_downloads(value)


def _weights(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as fault:
        raise ModelFault(f"bundle {path.parent.parent.name} has no models/model.pt") from fault
    except pickle.UnpicklingError as fault:
        raise ModelFault(f"{path.name} of bundle {path.parent.parent.name} is not plain weights: {fault}") from fault
    for key in NESTED:
        if isinstance(weights, Mapping) and isinstance(weights.get(key), Mapping):
            return dict(weights[key])
    return dict(weights)


def _first(keys: object) -> str:
    return str(keys[0]) if isinstance(keys, list | tuple) else str(keys)


def _input_channels(folder: Path) -> int:
    path = folder / "configs" / "metadata.json"
    if not path.is_file():
        return 1
    metadata = json.loads(path.read_text(encoding="utf-8"))
    inputs = metadata.get("network_data_format", {}).get("inputs", {})
    return int(next((entry.get("num_channels", 1) for entry in inputs.values() if isinstance(entry, dict)), 1))


def _activation(told: Activation, configured: Activation) -> Activation:
    return told if told is not Activation.NONE else configured


def _configured(step: Mapping[str, Any]) -> Activation:
    if step.get("softmax") is True:
        return Activation.SOFTMAX
    return Activation.SIGMOID if step.get("sigmoid") is True else Activation.NONE
