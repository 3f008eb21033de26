"""Volumes of drafts, written for the child process that prepares them: pixels and labels, and nobody's name."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from dicomnode.bundles.dicom_toml import DicomToml, Kind
from dicomnode.config.tables import Config
from dicomnode.errors import DiskReserve, Permanent
from dicomnode.full_disk import is_full
from dicomnode.index.element_text import MALFORMED
from dicomnode.learn.apart import KilledEachTime, TooLong
from dicomnode.learn.harvest.drawn import drawn_on
from dicomnode.learn.orders import PrepareOrder, Raw
from dicomnode.learn.sets.drafts import Draft, NoItem
from dicomnode.values import ModelVersion, Volume
from dicomnode.volume.build import build_volume
from dicomnode.volume.decoder import Decoder

RunChild = Callable[[Path, PrepareOrder], Mapping[str, object]]
"""Runs an order in a job's folder, in a process of its own; what comes of it (`learn.apart.run_apart`)."""
BATCH = 128
BATCH_BYTES = 1 << 30
"""Of voxels in one job: the child loads the bundle once for them."""


@dataclass(frozen=True)
class Preparing:
    """The items of one model that are made now."""

    config: Config
    model: ModelVersion
    dicom: DicomToml
    items: Path
    job: Path
    """Folder that is made and removed."""
    run_child: RunChild
    failed: dict[str, str] = field(default_factory=dict)
    """Item id to the reason in words."""

    def make(self, drafts: Sequence[Draft]) -> None:
        """Make the items that are not there yet.

        Raises:
            DiskReserve: less free space than the reserve.
            NodeError: the child could not work at all.
        """
        with Decoder() as decoder:
            for batch in self._batches(drafts, decoder):
                self._run(batch)
                shutil.rmtree(self.job, ignore_errors=True)

    def _batches(self, drafts: Sequence[Draft], decoder: Decoder) -> Iterator[list[tuple[str, Raw]]]:
        batch: list[tuple[str, Raw]] = []
        size = 0
        shutil.rmtree(self.job, ignore_errors=True)
        for draft in drafts:
            if (self.items / draft.item.file).exists():
                continue
            try:
                raw, written = self._raw(draft, decoder)
            except (Permanent, *MALFORMED) as fault:
                if is_full(fault):
                    raise DiskReserve(f"the disk is full: {fault}") from fault
                self.failed[draft.item.item_id] = str(fault)
                continue
            batch.append((draft.item.item_id, raw))
            size += written
            if len(batch) >= BATCH or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _raw(self, draft: Draft, decoder: Decoder) -> tuple[Raw, int]:
        volume = build_volume(draft.series, self.dicom.series, decoder=decoder)
        self._require_room(volume)
        arrays = {"voxels": volume.voxels, "affine_lps": volume.affine_lps, **self._label(draft, volume)}
        self.job.mkdir(parents=True, exist_ok=True)
        name = f"{draft.item.item_id}.safetensors"
        save_file({key: np.ascontiguousarray(array) for key, array in arrays.items()}, self.job / name)
        made = str((self.items / draft.item.file).resolve())
        return Raw(file=name, has_geometry=volume.has_geometry, made=made), volume.voxels.nbytes

    def _label(self, draft: Draft, volume: Volume) -> dict[str, NDArray[Any]]:
        kind = self.dicom.model.kind
        if kind is Kind.CLASSIFICATION:
            return {}
        if draft.nothing and kind is Kind.SEGMENTATION:
            return {"mask": np.zeros(volume.voxels.shape, np.uint8)}
        if draft.nothing:
            return {"boxes": np.zeros((0, 6), np.float32), "labels": np.zeros(0, np.int64)}
        drawn = drawn_on(volume, self.config.node.state / draft.drawn)
        if kind is Kind.SEGMENTATION and drawn.mask is not None:
            return {"mask": drawn.mask}
        if kind is Kind.DETECTION and drawn.boxes is not None and drawn.labels is not None:
            return {"boxes": drawn.boxes, "labels": drawn.labels}
        raise NoItem("its label file does not hold what this kind of model learns from")

    def _require_room(self, volume: Volume) -> None:
        free = shutil.disk_usage(self.config.node.state).free
        if free - 3 * volume.voxels.nbytes < self.config.receive.reserve_bytes:
            raise DiskReserve(f"{free >> 20} MiB are free: no room for training items beside the reserve")

    def _run(self, batch: list[tuple[str, Raw]]) -> None:
        """Have the child make a batch; one that kills it is halved until the study that does so is known."""
        order = PrepareOrder(
            bundle=self.model.folder.resolve(),
            digest=self.model.digest,
            device="cpu",
            threads=self.config.learn.threads,
            raw=tuple(raw for _, raw in batch),
        )
        for told in ("order.json", "progress.json", "fault.json", "done.json"):
            (self.job / told).unlink(missing_ok=True)
        try:
            done = self.run_child(self.job, order)
        except (KilledEachTime, TooLong) as fault:
            if len(batch) == 1:
                self.failed[batch[0][0]] = str(fault)
                return
            for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
                self._run(half)
            return
        failed = done.get("failed", {})
        assert isinstance(failed, Mapping)
        self.failed.update({item_id: str(failed[raw.made]) for item_id, raw in batch if raw.made in failed})
