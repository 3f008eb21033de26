"""The example report on a candidate: `python -m tests.gallery.candidate [FOLDER]`; its picture needs chromium.

Every figure in it comes from a real run of training, answers and gate, on made images: noise with a bright blob that
means nothing, and in four of ten a small chequerboard, the lesion. The base learnt on one scanner; the site's gives
less contrast and more noise.
"""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from dicomnode.bundles.approval import version_of
from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.config.learning import GatePlan
from dicomnode.learn.arms import CANDIDATE, Arm, bundle_of, further_arms, train_order
from dicomnode.learn.evaluate.answer import answer
from dicomnode.learn.evaluate.gate import judge
from dicomnode.learn.gathering import Asked, Gatherer, Versions, gather
from dicomnode.learn.job import DONE, AnyOrder, read, write
from dicomnode.learn.paper.gallery import gallery
from dicomnode.learn.paper.report import html
from dicomnode.learn.paper.told import Told, card_of, data_of
from dicomnode.learn.sets.manifest import load_set
from dicomnode.learn.showing import pictures
from dicomnode.learn.train.fit import train
from dicomnode.learn.values import SHARES, Item, RecipeName, Source, Split
from dicomnode.values import ModelVersion
from tests.bundles_made import classification_toml
from tests.gallery.__main__ import DPI, GALLERY, keep
from tests.learning_made import item_made, manifest_made, network_made

SIZE = 32
EPOCHS = 8
PATIENTS = 1000
NETWORK = '''
from torch import nn


class Looker(nn.Module):
    """Three convolutions, and the mean over the image of what they find."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 12, 5, padding=2, stride=2), nn.BatchNorm2d(12), nn.ReLU(),
            nn.Conv2d(12, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(),
        )
        self.head = nn.Linear(12, 1)

    def forward(self, x):
        return self.head(self.features(x).flatten(2).mean(2))
'''


@dataclass(frozen=True)
class Scanner:
    """How a lesion looks."""

    name: str
    contrast: float
    noise: float

    def image(self, n: int, *, lesion: bool) -> torch.Tensor:
        """(1, 32, 32)."""
        rng = np.random.default_rng((n, len(self.name)))
        rows, columns = np.mgrid[0:SIZE, 0:SIZE]
        image = rng.normal(0, self.noise, (SIZE, SIZE))
        row, column = rng.integers(4, 28, 2)
        image += 2.0 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 12)
        row, column = rng.integers(2, 22, 2)
        board = 2.0 * ((rows[:8, :8] // 2 + columns[:8, :8] // 2) % 2) - 1
        image[row : row + 8, column : column + 8] += self.contrast * board * lesion
        return torch.from_numpy(image[None].astype(np.float32))


OLD, ONE, OTHER = Scanner("Old", 0.8, 0.4), Scanner("ACME Ray 1", -0.42, 0.55), Scanner("Other XR", -0.42, 0.6)


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        page = html(told(Path(scratch)))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "14_candidate.html").write_text(page, encoding="utf-8")
    photograph(folder / "14_candidate.html", folder)


def told(root: Path) -> Told:
    """A candidate, made and judged."""
    base = base_made(root / "base")
    manifest = site_made(root / "site", base)
    training, jobs = load_set(manifest), root / "jobs"
    fitted = trained(base, manifest, jobs)
    candidate = version_of(bundle_of(base, jobs / CANDIDATE)[0])
    rate = fitted["learning_rate"]
    for arm in further_arms(fitted):
        trained_arm(base, manifest, jobs, replace(arm, learning_rate=rate))

    def run(name: str, order: AnyOrder) -> Path:
        return done(jobs / name, order)

    asked = Asked(training, manifest, training.of(Split.TEST), {})
    gatherer = Gatherer(run, asked, 1)
    evidence = gather(gatherer, Versions(candidate, base, base), jobs, {})
    again = gatherer.of("again", candidate, training.of(Split.CALIBRATION))
    apart = float(np.abs(again.logits - evidence.calibration.logits).max())
    unchanged = version_of(base.folder).digest == base.digest
    evidence = replace(evidence, integrity={"base_unchanged": unchanged, "reload_logit_difference": apart})
    return Told(
        evidence, judge(GatePlan(), evidence, 1, seed=1), GatePlan(), card_of(load_dicom_toml(candidate.folder)),
        fitted, {"Candidate": candidate.digest, "Base": base.digest, "Training set": training.digest},
        data_of(training), gallery=pictures(run, candidate, training, manifest, jobs / "answers_candidate"),
        version="1.2.3+learned.1", node="Made images: no patient",
    )  # fmt: skip


def base_made(folder: Path) -> ModelVersion:
    """What the old scanner's images taught."""
    more = '[saliency]\nlayer = "features.8"\n[domain]\nmin_age_years = 18.0\n'
    dicom = classification_toml("chequers", findings=("index = 0",), more=more)
    dicom = dicom.replace("Bright images", "Chequerboards in noise").replace("finding 0", "Chequerboard")
    dicom = dicom.replace("Tests.", "Shows what a report looks like, on made images.")
    blank = network_made(folder, "chequers", dicom, {}, code=NETWORK, of="Looker")
    splits = {Split.TRAIN: 400, Split.VALIDATION: 60, Split.CALIBRATION: 100}
    items = [one for split, count in splits.items() for one in made(folder, f"old {split}", split, count, (OLD,))]
    manifest = manifest_made(folder, blank, items)
    trained_arm(blank, manifest, folder / "jobs", Arm(CANDIDATE, RecipeName.SCRATCH, trials=0))
    return version_of(bundle_of(blank, folder / "jobs" / CANDIDATE)[0])


def site_made(folder: Path, base: ModelVersion) -> Path:
    """The site's labelled patients."""
    items = [
        one for split, share in SHARES.items()
        for one in made(folder, f"site {split}", split, round(PATIENTS * share), (ONE, ONE, OTHER))
    ]  # fmt: skip
    return manifest_made(folder, base, items)


def made(folder: Path, name: str, split: Split, count: int, scanners: tuple[Scanner, ...]) -> list[Item]:
    found = []
    for n in range(count):
        number = n + 100_000 * (1 + list(SHARES).index(split))
        lesion, scanner = n % 5 < 2, scanners[n % len(scanners)]
        image = {"image": scanner.image(number, lesion=lesion)}
        item = item_made(folder, image, f"{name} {n}", split, (float(lesion),))
        ages = ("18-39", "40-64", "65+", "65+", "40-64", "80+") if n % 12 == 5 else ("18-39", "40-64", "65+")
        groups = {"sex": "FM"[n // 5 % 2], "age_band": ages[n // 10 % len(ages)], "scanner": scanner.name}
        when_s = 1_767_225_600.0 + 20_000_000 * n / count
        found.append(replace(item, groups=groups, when_s=when_s, source=Source.SR if n % 4 else Source.REPORT))
    return found


def trained(base: ModelVersion, manifest: Path, jobs: Path) -> dict:
    trained_arm(base, manifest, jobs, Arm(CANDIDATE, RecipeName.NORM, trials=0))
    return dict(read(jobs / CANDIDATE / DONE) or {})


def trained_arm(base: ModelVersion, manifest: Path, jobs: Path, arm: Arm) -> None:
    order = train_order(base, manifest, arm, seed=3, threads=1).model_copy(update={"device": "cpu", "epochs": EPOCHS})
    done(jobs / arm.name, order)


def done(folder: Path, order: AnyOrder) -> Path:
    """A job, done in this process."""
    folder.mkdir(parents=True, exist_ok=True)
    work = {"train": train, "answer": answer, "gallery": gallery}[order.kind]
    print(f"{order.kind} {folder.name}", file=sys.stderr)
    write(folder / DONE, work(order, folder, lambda _: None))  # type: ignore[operator]
    return folder


def photograph(page: Path, folder: Path) -> None:
    """The first page as it is printed."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        sheet = browser.new_page()
        sheet.goto(page.as_uri())
        sheet.pdf(path=f"{scratch}/report.pdf", prefer_css_page_size=True, print_background=True)
        browser.close()
        subprocess.run(["pdftoppm", "-r", str(DPI), "-png", "report.pdf", "page"], cwd=scratch, check=True)
        for number, one in enumerate(sorted(Path(scratch).glob("page*.png"))[:1], 1):
            keep(Image.open(one).convert("RGB"), folder / f"14_candidate_page_{number}.jpg")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else GALLERY)
