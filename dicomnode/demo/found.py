"""What the node found in the demo's studies: read from the index and from the SEG it sent."""

from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from dicomnode.bundles.approval import approved
from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.config.tables import Config
from dicomnode.demo.pictures import Layer, contour_picture, saliency_picture
from dicomnode.demo.studies import DemoStudy
from dicomnode.handover import handed_over
from dicomnode.index.database import Index
from dicomnode.index.runs import load_run
from dicomnode.index.schema import DeliveryRow, ResultRow, RunRow, StudyRow
from dicomnode.values import Classification, DeliveryStatus, Role, Volume
from dicomnode.volume.build import build_volume


@dataclass(frozen=True)
class Found:
    """One run of the demo."""

    run_key: str
    study_uid: str
    model: str
    status: str
    said: str
    seconds: dict[str, float]
    objects: int
    committed: int


def found_in(index: Index) -> list[Found]:
    """Every run so far."""
    with index.snapshot() as session:
        rows = session.execute(
            select(RunRow, StudyRow.study_uid).join(StudyRow, StudyRow.study_key == RunRow.study_key)
        )
        found = []
        for run, study_uid in rows.all():
            query = select(DeliveryRow.status).join(
                ResultRow, ResultRow.sop_instance_uid == DeliveryRow.sop_instance_uid
            )
            statuses = session.scalars(query.where(ResultRow.run_key == run.run_key)).all()
            committed = sum(status == DeliveryStatus.COMMITTED for status in statuses)
            seconds = dict(run.seconds)
            seconds["predict"] = sum(seconds.get(part, 0.0) for part in ("preprocess", "forward", "postprocess"))
            said = run.reason or ", ".join(f"{name} {value}" for name, value in run.summary.items())
            found.append(Found(run.run_key, study_uid, run.model, run.status, said, seconds, len(statuses), committed))
    return found


def picture(config: Config, index: Index, study: DemoStudy, found: Found, folder: Path) -> Path:
    """Draw one study with its result; the PNG's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{study.name.replace(' ', '_')}.png"
    bundle = config.infer.folder / found.model
    rules = load_dicom_toml(bundle)
    model = approved(index, bundle)
    with index.snapshot() as session:
        _, series = load_run(session, config.node.state, found.run_key, model)
        seg = session.scalar(select(ResultRow).where(ResultRow.run_key == found.run_key, ResultRow.role == Role.SEG))
    volume = build_volume(series, rules.series)
    title = f"{rules.model.title}: {study.name}"
    if seg is not None:
        _draw_segments(hd.seg.segread(config.node.state / seg.file), volume, title, path)
    else:
        saliency_picture(volume.voxels[0], _saliency(config, found), title, found.said, path)
    return path


def _draw_segments(seg: hd.seg.Segmentation, volume: Volume, title: str, path: Path) -> None:
    uids = [frame.sop_instance_uid for frame in volume.frames]
    masks: NDArray[np.bool_] = seg.get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True) > 0
    key = int(masks.any(axis=-1).sum(axis=(1, 2)).argmax())
    ml = abs(np.linalg.det(volume.affine_lps[:3, :3])) / 1000
    layers = [
        Layer(str(item.SegmentLabel), masks[key, :, :, n], f"{masks[..., n].sum() * ml:.2f} ml")
        for n, item in enumerate(seg.SegmentSequence)
    ]
    across, down = (float(np.linalg.norm(volume.affine_lps[:3, axis])) for axis in (0, 1))
    contour_picture(volume.voxels[key], layers, f"{title}, slice {key + 1} of {len(uids)}", down / across, path)


def _saliency(config: Config, found: Found) -> NDArray[np.float32] | None:
    if found.status != "done":
        return None
    _, prediction = handed_over(config.node.state, found.run_key)
    answer = prediction.answer
    return answer.saliency[0] if isinstance(answer, Classification) and answer.saliency is not None else None
