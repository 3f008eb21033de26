"""`dicomnode receive | engine | gpu | train | web | serve`: the processes of the node."""

import signal
import threading
from typing import Annotated

import typer

from dicomnode.cli.context import Opened
from dicomnode.logs import set_up_logs

PANEL = "Processes"


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (receive, engine, gpu, train, hl7, web, serve):
        app.command(rich_help_panel=PANEL)(command)


def receive(ctx: typer.Context, number: Annotated[int, typer.Option(help="Of this receiver, from 0.")] = 0) -> None:
    """Receive studies: the DICOM SCP."""
    from dicomnode.receive.serve import run_receiver

    opened = _started(ctx, "receive")
    run_receiver(opened.config, opened.index, number, _stop())


def engine(ctx: typer.Context) -> None:
    """Decide, encode and deliver: the durable journey."""
    from dicomnode.serve.engine import run_engine

    opened = _started(ctx, "engine")
    run_engine(opened.config, opened.index, _stop())


def gpu(
    ctx: typer.Context,
    number: Annotated[int, typer.Option(help="Of this process, from 0: one per accelerator.")] = 0,
    stat: Annotated[bool, typer.Option("--stat", help="Work on STAT studies alone.")] = False,
) -> None:
    """Analyse studies, one at a time."""
    from dicomnode.serve.gpu import run_gpu

    opened = _started(ctx, "gpu")
    run_gpu(opened.config, opened.index, _stop(), number=number, stat=stat)


def train(ctx: typer.Context) -> None:
    """Make candidates, one at a time, whenever inference leaves room."""
    from dicomnode.serve.train import run_train

    opened = _started(ctx, "train")
    run_train(opened.config, opened.index, _stop())


def hl7(ctx: typer.Context) -> None:
    """Listen for reports: HL7 v2 ORU^R01 over MLLP, read for labels."""
    from dicomnode.learn.reports.hl7.listen import run_hl7

    opened = _started(ctx, "hl7")
    run_hl7(opened.config, opened.index, _stop())


def web(ctx: typer.Context) -> None:
    """Answer health and metrics on loopback."""
    from dicomnode.web.server import run_web

    opened = _started(ctx, "web")
    run_web(opened.config, opened.index, _stop())


def serve(ctx: typer.Context) -> None:
    """Start and watch all processes, for a trial; systemd does this in a hospital."""
    from dicomnode.serve.supervisor import run_all

    opened = _started(ctx, "serve")
    run_all(opened.config, opened.path, _stop())


def _started(ctx: typer.Context, process: str) -> Opened:
    opened: Opened = ctx.obj
    set_up_logs(opened.config.log, process)
    _ = opened.index
    return opened


def _stop() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
