"""What the report on a candidate is told: gathered from the index and the job's folder."""

import time
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode import __version__
from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.config.learning import GatePlan
from dicomnode.config.tables import Config
from dicomnode.index.learning import DecisionRow, LearnedVersionRow, LearningRow, LookRow
from dicomnode.learn.arms import CANDIDATE
from dicomnode.learn.evaluate.files import load_evidence, load_judgement
from dicomnode.learn.job import DONE, read
from dicomnode.learn.paper.told import Told, card_of, data_of
from dicomnode.learn.sets.manifest import left_out_of, manifest_of
from dicomnode.learn.values import TrainingSet
from dicomnode.learn.versions.promote import AUTOMATIC


def told_of(
    session: Session, config: Config, row: LearningRow, folder: Path, training: TrainingSet, plan: GatePlan
) -> Told:
    """All that the report on one candidate says."""
    version = session.get_one(LearnedVersionRow, row.candidate)
    looks = select(LookRow.sealed_set).where(LookRow.candidate == row.candidate)
    same_model = select(LearnedVersionRow).where(LearnedVersionRow.model == row.model)
    decisions = select(DecisionRow).where(DecisionRow.model == row.model).order_by(DecisionRow.number)
    learn = config.learn
    return Told(
        evidence=load_evidence(folder),
        judgement=load_judgement(folder),
        plan=plan,
        card=card_of(load_dicom_toml(config.node.state / version.folder)),
        fitted=read(folder / CANDIDATE / DONE) or {},
        facts=_facts(row, version) | {"Preprocessing": training.preprocessing},
        data=data_of(training, left_out_of(manifest_of(config.node.state, training.digest))),
        decisions=session.scalars(decisions).all(),
        looks=session.scalars(select(LookRow).where(LookRow.sealed_set.in_(looks)).order_by(LookRow.look)).all(),
        versions=session.scalars(same_model.order_by(LearnedVersionRow.created_s)).all(),
        version=version.version,
        node=config.node.institution or config.node.station_name,
        shadow=f"{learn.shadow_studies} studies or {learn.shadow_days:g} days",
        automatic=learn.promote == AUTOMATIC,
        made_s=time.time(),
    )


def _facts(row: LearningRow, version: LearnedVersionRow) -> dict[str, str]:
    return {
        "Candidate": version.digest,
        "Base": version.base,
        "In use when it was made": version.parent,
        "Training set": row.training_set,
        "Asked for by": row.by or row.trigger,
        "Learning": row.job,
        "Program": f"dicomnode {__version__}",
    }
