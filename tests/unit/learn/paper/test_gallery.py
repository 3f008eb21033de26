"""The cases that a person is shown, and whether attention lies where the lesion is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dicomnode.bundles.approval import version_of
from dicomnode.errors import ModelFault
from dicomnode.infer.classify import attention
from dicomnode.learn.orders import GalleryOrder, Shown
from dicomnode.learn.paper.cases import cases
from dicomnode.learn.paper.drawing import WIDEST, grey, heated, outlined
from dicomnode.learn.paper.gallery import gallery
from dicomnode.learn.paper.told import read_gallery
from dicomnode.learn.sets.manifest import load_set
from dicomnode.learn.values import Answers, Split, TrainingSet
from tests.learning_made import classifier_made, items_of, set_made

EMPTY = np.zeros((0, 0))


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, TrainingSet]:
    version = classifier_made(tmp_path)
    toml = version.folder / "dicom.toml"
    toml.write_text(toml.read_text() + '\n[saliency]\nlayer = "features.4"\n')
    manifest = set_made(tmp_path, version, {Split.VALIDATION: 8, Split.TEST: 2})
    return manifest, load_set(manifest)


def answered(training: TrainingSet, probabilities: list[float]) -> Answers:
    items = training.of(Split.VALIDATION)[: len(probabilities)]
    targets, told = np.array([item.targets for item in items]), np.array(probabilities)[:, None]
    names, patients = tuple(item.item_id for item in items), tuple(item.patient for item in items)
    return Answers("a" * 64, names, patients, targets, EMPTY, told, EMPTY)


def test_sure_and_right_sure_and_wrong_and_unsure_cases_are_shown(made: tuple[Path, TrainingSet]) -> None:
    _, training = made
    told = answered(training, [0.95, 0.9, 0.2, 0.1, 0.51, 0.49, 0.99, 0.02])  # every second one is positive

    shown = cases(training, told, (0.5,), ("Pneumonia",))

    names = [item.item_id for item in training.of(Split.VALIDATION)]
    by_role = {role: [names.index(one.item) for one in shown if one.role == role] for role in ("correct", "wrong")}
    assert by_role == {"correct": [6, 0, 7], "wrong": [1, 2]}
    assert {names.index(one.item) for one in shown if one.role == "uncertain"} == {4, 5, 3}
    assert "Pneumonia. Label: absent. Candidate: 0.90, threshold 0.50." in {one.words for one in shown}


def test_a_patient_is_shown_once(made: tuple[Path, TrainingSet]) -> None:
    _, training = made
    told = answered(training, [0.9, 0.1, 0.9, 0.1])

    shown = cases(training, replace(told, patients=("one",) * 4), (0.5,), ("Pneumonia",))

    assert len(shown) == 1


def test_nobody_is_shown_a_case_of_the_sealed_test(made: tuple[Path, TrainingSet], tmp_path: Path) -> None:
    manifest, training = made
    sealed = training.of(Split.TEST)[0]
    told = replace(answered(training, [0.9]), item_ids=(sealed.item_id,))

    with pytest.raises(ModelFault, match="is never shown"):
        cases(training, told, (0.5,), ("Pneumonia",))
    with pytest.raises(ModelFault, match="is never shown"):
        gallery(ordered(manifest, tmp_path, (sealed.item_id,)), tmp_path, lambda _: None)


def ordered(manifest: Path, folder: Path, items: tuple[str, ...]) -> GalleryOrder:
    version = version_of(folder / "small")
    shown = tuple(Shown(item=item, role="correct", output=0, words="Label: present.") for item in items)
    return GalleryOrder(bundle=version.folder, digest=version.digest, device="cpu", training_set=manifest, shown=shown)


def test_a_gallery_is_drawn_by_the_child_and_read_without_it(made: tuple[Path, TrainingSet], tmp_path: Path) -> None:
    manifest, _ = made
    job = tmp_path / "job"
    job.mkdir()

    gallery(ordered(manifest, tmp_path, items_of(manifest, Split.VALIDATION)[:2]), job, lambda _: None)

    pictures = read_gallery(job)
    assert [(one.role, one.words) for one in pictures] == [("correct", "Label: present.")] * 2
    assert all(one.image.startswith(b"\x89PNG") and one.overlay != one.image for one in pictures)
    assert read_gallery(tmp_path) == ()


def test_segmentations_and_detections_are_shown_by_how_good_they_are(made: tuple[Path, TrainingSet]) -> None:
    _, training = made
    told = answered(training, [0.5] * 8)
    dice = np.linspace(0.1, 0.8, 8)[:, None]
    nobody = replace(told, targets=EMPTY, probabilities=EMPTY)
    hits = (((0.9, True),), ((0.9, False),), ((0.45, False),), (), (), (), (), ())

    by_dice = cases(training, replace(nobody, dice=dice), (), ("Liver",))
    by_boxes = cases(training, replace(nobody, hits=hits, lesions=(1, 0, 0, 0, 0, 0, 0, 2)), (0.5,), ("Nodule",))

    assert next(one.words for one in by_dice if one.role == "wrong") == "Dice: Liver 0.10."
    assert next(one.words for one in by_dice if one.role == "correct") == "Dice: Liver 0.80."
    assert [one.words for one in by_boxes if one.role == "correct"] == ["1 of 1 lesion(s) found, 0 false mark(s)."]
    assert next(one.words for one in by_boxes if one.role == "wrong") == "0 of 2 lesion(s) found, 0 false mark(s)."


def test_pictures_are_too_small_to_read_burnt_in_text_and_keep_their_shape() -> None:
    picture = grey(np.random.default_rng(1).random((2000, 1000)).astype(np.float32))

    assert picture.shape == (WIDEST, WIDEST // 2, 3)


def test_attention_and_outlines_are_seen_in_grey_too() -> None:
    picture = grey(np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1)))
    place = np.zeros((64, 64), np.float32)
    place[20:30, 20:30] = 1.0

    hot = heated(picture, place)
    drawn = outlined(picture, place > 0, np.roll(place > 0, 4))

    assert (hot[20, 20:30] == 255).all()
    assert (hot[40:] == picture[40:]).all()
    assert (drawn != picture).any(axis=2).sum() >= 36


class Looker(nn.Module):
    """Three convolutions, and the mean over the image of what they find."""

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 12, 5, padding=2, stride=2), nn.ReLU(),
            nn.Conv2d(12, 12, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(12, 1)

    def forward(self, image: Tensor) -> Tensor:
        found: Tensor = self.head(self.features(image).flatten(2).mean(2))
        return found


def lesions(count: int, seed: int, *, every: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Images of noise with a brighter blob that means nothing; every second has a lesion, a small chequerboard."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:32, 0:32]
    images, places = rng.normal(0, 0.3, (count, 32, 32)), rng.integers(4, 24, (count, 2))
    for n, (row, column) in enumerate(rng.integers(4, 28, (count, 2))):
        images[n] += 2.0 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 12)
    has = np.arange(count) % every == 0
    board = 1.2 * (2.0 * ((rows[:8, :8] // 2 + columns[:8, :8] // 2) % 2) - 1)
    for n in np.flatnonzero(has):
        row, column = places[n]
        images[n, row : row + 8, column : column + 8] += board
    return torch.from_numpy(images[:, None]).float(), torch.from_numpy(has).float(), torch.from_numpy(places)


def trained(steps: int) -> Looker:
    network = Looker(1)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    for step in range(steps):
        images, has, _ = lesions(48, 100 + step)
        loss = nn.functional.binary_cross_entropy_with_logits(network(images)[:, 0], has)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def pointing(network: nn.Module, seed: int = 7) -> float:
    """Share of lesions on which the point of most attention lies (Zhang et al. 2016), to within two pixels."""
    images, _, places = lesions(40, seed, every=1)
    hits = 0
    for image, (row, column) in zip(images, places.tolist(), strict=True):
        most = int(attention(network, "features.5", image, 0)[0].argmax())
        hits += row - 2 <= most // 32 < row + 10 and column - 2 <= most % 32 < column + 10
    return hits / len(images)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """A network this small is slower on several."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_attention_points_at_the_lesion_and_not_without_what_was_learnt() -> None:
    # T20; Adebayo et al. 2018: a map that survives random weights tells of the image, not of the model.
    learnt = pointing(trained(steps=60))

    by_chance = float(np.mean([pointing(Looker(seed).eval()) for seed in (11, 12, 13)]))

    assert learnt >= 0.7
    assert by_chance <= learnt - 0.3
