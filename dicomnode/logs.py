"""Logs: one line a change of state; JSON under systemd, readable on a terminal, and never an identity.

Event first, then fields: log.info("study.complete", study=study_key, instances=count). UIDs and our own
keys may appear; a field that is named like an identity is withheld, and its name is logged instead.
"""

import logging
import sys
import traceback
import warnings
from pathlib import Path

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from dicomnode.config.tables import Log

IDENTITY = frozenset(
    {
        "accession",
        "accessionnumber",
        "birthdate",
        "dateofbirth",
        "issuerofpatientid",
        "mrn",
        "otherpatientids",
        "patient",
        "patientaddress",
        "patientage",
        "patientbirthdate",
        "patientid",
        "patientids",
        "patientname",
        "patientsex",
        "patientsname",
        "performingphysicianname",
        "referringphysicianname",
        "studydate",
        "studydescription",
    }
)
"""Names of fields that would tell who a patient is, without case, underscores and hyphens."""

QUOTE_VALUES = ("pydicom", "highdicom", "py.warnings")
"""Loggers whose messages quote values of data sets: silent."""

ONLY_FAULTS = ("pynetdicom", "alembic", "apscheduler", "dbos", "monai", "ignite", "PIL", "matplotlib")
"""Loggers of libraries: warnings and worse."""


def set_up_logs(settings: Log, process: str) -> None:
    """Make this process log to standard error, every line with the process's name."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        withhold_identity,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(process=process)
    _route_standard_logging(settings, shared)


def withhold_identity(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Drop fields named like an identity, and say which were dropped."""
    withheld = sorted(field for field in event if is_identity(field))
    for field in withheld:
        del event[field]
    if withheld:
        event["withheld"] = withheld
    return event


def is_identity(field: str) -> bool:
    """Whether a field's name says that it holds a patient's identity."""
    return field.casefold().replace("_", "").replace("-", "") in IDENTITY


def places(fault: BaseException) -> list[str]:
    """Where a fault came from, innermost last. Its words stay out: those of a library may quote a data set."""
    frames = traceback.extract_tb(fault.__traceback__)
    return ["/".join(Path(frame.filename).parts[-2:]) + f":{frame.lineno} {frame.name}" for frame in frames]


def _route_standard_logging(settings: Log, shared: list[Processor]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_written(settings)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level)
    for library in ONLY_FAULTS:
        logging.getLogger(library).setLevel(logging.WARNING)
    for library in QUOTE_VALUES:
        logging.getLogger(library).setLevel(logging.CRITICAL + 1)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # they quote values of data sets


def _written(settings: Log) -> list[Processor]:
    readable = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())
    if readable:
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("event"),
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
