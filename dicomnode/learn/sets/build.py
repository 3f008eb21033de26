"""A training set from what is labelled: split ─► draft ─► prepare ─► near-duplicates ─► a last look ─► manifest.

Only items that are not there yet are prepared. A study that gives none is listed with the reason, and stops nothing.
Nothing that is written here says who a patient is.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.config.tables import Config
from dicomnode.index.database import Index
from dicomnode.learn.harvest.resolve import resolved
from dicomnode.learn.sets.drafts import Draft, Labelled, Maker, Standing, drafts
from dicomnode.learn.sets.duplicates import leave_out, near_duplicates, note
from dicomnode.learn.sets.enter import Collected, LeftOut, enter_set
from dicomnode.learn.sets.leftovers import remove_unnamed
from dicomnode.learn.sets.manifest import ITEMS, TRAINING
from dicomnode.learn.sets.preprocessing import preprocessing_digest
from dicomnode.learn.sets.raws import Preparing, RunChild
from dicomnode.learn.sets.whose import standings_of
from dicomnode.learn.split.keys import require_split_key
from dicomnode.learn.values import TrainingSet
from dicomnode.values import ModelVersion

log = structlog.get_logger()


def build_set(
    index: Index, config: Config, model: ModelVersion, *, run_child: RunChild, scope: str = ""
) -> TrainingSet:
    """The training set of all labels so far.

    Args:
        index: open index.
        config: of the node.
        model: whose preprocessing is used: the installed bundle, or a version of it.
        run_child: runs an order in a process of its own.
        scope: "", "site:NAME" or "scanner:NAME": studies from there alone.

    Raises:
        SplitKeyLost: the split key is not the one that patients were assigned with.
        DiskReserve: the disk is too full.
        ModelFault: the bundle cannot be used.
    """
    maker = _maker(index, config, model, scope)
    with index.snapshot() as session:
        labels = resolved(session, model.name)
    standings = standings_of(index, config.node.state, maker.secret, model.name, labels)
    drafted, gone = _drafted(index, maker, labels, standings)
    folder = config.node.state / TRAINING
    found, failed = _prepared(config, model, maker, drafted, folder, run_child)
    found, alike = _without_duplicates(index, model, found, folder, standings)
    collected = Collected(labels, drafted, found, [*gone, *failed, *alike])
    empty = TrainingSet("", model.name, model.digest, maker.preprocessing, (), folder / ITEMS)
    with index.transaction() as session:
        training, left_out = enter_set(session, collected, empty, config.node.state, maker.secret)
    remove_unnamed(index, folder / ITEMS)
    reasons = Counter(one.why for one in left_out)
    log.info("set.built", model=model.name, set=training.digest[:12], items=len(training.items), left_out=len(left_out))
    return replace(training, left_out=dict(reasons))


def _maker(index: Index, config: Config, model: ModelVersion, scope: str) -> Maker:
    with index.transaction() as session:
        secret = require_split_key(session, config.node.state)
    dicom = load_dicom_toml(model.folder)
    return Maker(config.node.state, secret, dicom, config.learn, preprocessing_digest(model.folder), scope)


def _drafted(
    index: Index, maker: Maker, labels: Sequence[Labelled], standings: dict[str, Standing]
) -> tuple[list[Draft], list[LeftOut]]:
    known = [labelled for labelled in labels if labelled.patient in standings]
    with index.snapshot() as session:
        told = list(drafts(session, maker, known, standings))
    found = {one.item.item_id: one for one in told if isinstance(one, Draft)}
    gone = [LeftOut(one[0].study_key, one[1]) for one in told if isinstance(one, tuple)]
    return [found[item_id] for item_id in sorted(found)], gone


def _prepared(
    config: Config, model: ModelVersion, maker: Maker, found: list[Draft], folder: Path, run_child: RunChild
) -> tuple[list[Draft], list[LeftOut]]:
    job = config.node.state / "learning" / f"prepare-{model.name}-{model.digest[:16]}"
    preparing = Preparing(config, model, maker.dicom, folder / ITEMS, job, run_child)
    preparing.make(found)
    failed = [
        LeftOut(d.study_key, preparing.failed[d.item.item_id]) for d in found if d.item.item_id in preparing.failed
    ]
    return [draft for draft in found if draft.item.item_id not in preparing.failed], failed


def _without_duplicates(
    index: Index, model: ModelVersion, found: list[Draft], folder: Path, standings: dict[str, Standing]
) -> tuple[list[Draft], list[LeftOut]]:
    pairs = near_duplicates([draft.item for draft in found], folder / ITEMS)
    if not pairs:
        return found, []
    trained = {one.patient: one.trained for one in standings.values()}
    why = leave_out(pairs, trained)
    with index.transaction() as session:
        note(session, model.name, pairs)
    log.warning("set.duplicates", model=model.name, pairs=len(pairs), left_out=len(why))
    gone = [LeftOut(draft.study_key, why[draft.item.item_id]) for draft in found if draft.item.item_id in why]
    return [draft for draft in found if draft.item.item_id not in why], gone
