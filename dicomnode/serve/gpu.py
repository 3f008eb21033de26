"""A gpu process: one run at a time on one device; a run that kills it three times is parked, alone."""

import threading
from functools import partial

import structlog

from dicomnode import durable
from dicomnode.bundles.dicom_toml import DicomToml
from dicomnode.config.tables import Config
from dicomnode.errors import NodeError
from dicomnode.index.database import Index
from dicomnode.infer.predict import Predictor
from dicomnode.journey import GPU, GPU_STAT, register
from dicomnode.learn.versions.in_use import in_use
from dicomnode.learn.versions.self_test import self_test_all
from dicomnode.serve.beats import Heart
from dicomnode.serve.engine import known_queues
from dicomnode.stages import Device, Stages
from dicomnode.values import Series, Volume
from dicomnode.volume.build import build_volume
from dicomnode.volume.decoder import Decoder

log = structlog.get_logger()

LOOK_S = 60.0
"""Between two looks whether a version is due for its self-test: after a change, or a week."""


def run_gpu(config: Config, index: Index, stop: threading.Event, *, number: int, stat: bool) -> None:
    """Analyse runs until told to stop.

    Args:
        config: of the node.
        index: open index.
        stop: set when the process should end.
        number: of this gpu process, 0 for the first.
        stat: whether it works on STAT studies alone.
    """
    name = "gpu-stat" if stat else f"gpu-{number}"
    with Predictor(config.infer) as predictor, Decoder() as decoder:
        _warm(config, index, predictor)  # before any run is taken up: a death while loading is no run's fault
        self_test_all(index, config, predictor, only_due=False)
        register(Stages(config, index, Device(partial(build, decoder=decoder), predictor)))
        queues = [GPU_STAT if stat else GPU]
        with durable.executor(config.engine_url, config.node.state, name, queues, known_queues(config)):
            with Heart(index, name) as heart:
                heart.ready("analyses one run at a time")
                while not stop.wait(LOOK_S):
                    self_test_all(index, config, predictor, only_due=True)
            predictor.tidy()
            durable.leave()


def _warm(config: Config, index: Index, predictor: Predictor) -> None:
    """Load every routed model now, side by side; one that cannot be loaded parks its runs when they come."""
    names = dict.fromkeys(name for route in config.routes for name in route.models)
    for begin in (predictor.start, predictor.warm):
        for name in tuple(names):
            try:
                with index.snapshot() as session:
                    version = in_use(session, config, name)
                begin(version, config.model(name))
            except NodeError as fault:
                del names[name]
                log.error("model.cold", model=name, reason=str(fault))


def build(series: Series, rules: DicomToml, decoder: Decoder | None = None) -> Volume:
    """The volume of a series, as a model's rules want it; an open decoder saves its start, 0.5 s."""
    return build_volume(series, rules.series, decoder=decoder)
