"""Segmentations and structure sets that readers send become masks, or refused labels with the reason."""

from collections.abc import Callable

import numpy as np
import pytest
from pydicom import Dataset

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.complete.rejections import read_key_objects
from dicomnode.config.learning import Mapping
from dicomnode.index.learning import HarvestedRow, LabelRow, PatientRow
from dicomnode.index.studies import load_study
from dicomnode.learn.harvest.again import read_again
from dicomnode.learn.harvest.drawings import drawings_to_read, harvest_drawing
from dicomnode.learn.harvest.drawn import drawn_on
from dicomnode.learn.harvest.resolve import resolved
from dicomnode.learn.split.keys import KEY_FILE
from dicomnode.learn.values import LabelState, Source, What
from dicomnode.volume.build import build_volume
from tests.integration.learn.harvest.reader_made import labels, send
from tests.integration.learn.harvest.test_reader_labels import rejection
from tests.phantom import SUBJECT, Subject, ct_series
from tests.site_made import MODEL, Site
from tests.unit.learn.harvest.drawn_made import AUTOMATIC, random_map, segmentation, structure_set

SHAPE = (5, 6, 8)
SQUARE = [(0.5, 0.5), (3.5, 0.5), (3.5, 2.5), (0.5, 2.5)]


def drawn_labels(site: Site) -> list[LabelRow]:
    """What is in the index after the chores of every drawing."""
    with site.index.snapshot() as session:
        moments = [one.moment for one in drawings_to_read(session, site.config)]
    for moment in moments:
        harvest_drawing(site.index, site.config, moment)
    return sorted(site.rows(LabelRow), key=lambda row: row.label_key)


def test_a_readers_segmentation_is_the_mask_of_its_study_to_the_voxel(site: Site) -> None:
    images, truth = ct_series(), random_map(SHAPE, 1)
    order = [3, 0, 4, 1, 2]
    send(site, images, "PACS")
    send(site, [segmentation([images[n] for n in order], truth[order])])

    (row,) = drawn_labels(site)
    assert (row.state, row.what, row.source, row.who) == (LabelState.ATTACHED, What.MASK, Source.SEG, "Reader^One")
    assert row.series_uid == images[0].SeriesInstanceUID

    with site.index.transaction() as session:
        (one,) = resolved(session, MODEL)
        series = load_study(session, site.config.node.state, one.study_key).series[0]
    rules = load_dicom_toml(site.config.infer.folder / MODEL)
    found = drawn_on(build_volume(series, rules.series), site.config.node.state / one.mask)
    assert found.mask is not None
    assert np.array_equal(found.mask, truth)
    assert (one.assisted, one.conflicts) == (False, 0)


def test_a_structure_set_is_a_mask_too(site: Site) -> None:
    images = ct_series()
    send(site, [*images, structure_set(images, {"Bright": [(1, SQUARE)]})])

    (row,) = drawn_labels(site)
    assert (row.state, row.source, row.who) == (LabelState.ATTACHED, Source.RTSTRUCT, "Reader^One")


def renamed(seg: Dataset, **values: str) -> Dataset:
    for keyword, value in values.items():
        setattr(seg, keyword, value)
    return seg


def test_what_a_device_made_is_no_label(site: Site) -> None:
    images = ct_series()
    send(site, [
        *images,
        segmentation(images, random_map(SHAPE, 1), how=AUTOMATIC, name="automatic"),
        segmentation(images, random_map(SHAPE, 1), creator=None, name="nobody's"),
        structure_set(images, {"Bright": [(1, SQUARE)]}, how="AUTOMATIC"),
    ])  # fmt: skip

    assert drawn_labels(site) == []
    assert {row.reason for row in site.rows(HarvestedRow)} == {
        "nobody is named as its creator", "a device made it: every part of it is AUTOMATIC",
    }  # fmt: skip


def test_our_own_segmentation_is_no_label_and_a_readers_correction_of_it_is_assisted(site: Site) -> None:
    images = ct_series()
    send(site, images, "PACS")
    (run,) = site.work()
    ours = site.results(run.run_key)["SEG"]
    send(site, [ours])
    corrected = segmentation(images, random_map(SHAPE, 1))
    corrected.SegmentSequence[0].TrackingUID = ours.SegmentSequence[0].TrackingUID
    corrected.SegmentSequence[0].TrackingID = "Bright"
    send(site, [corrected])

    assert [(row.object_uid, row.assisted) for row in drawn_labels(site)] == [(corrected.SOPInstanceUID, True)]


def with_unknown(images: list[Dataset]) -> Dataset:
    """A second segment that means nothing here."""
    seg = segmentation(images, random_map(SHAPE), ("Bright", "Something"))
    seg.SegmentSequence[1].SegmentedPropertyTypeCodeSequence[0].CodeValue = "10200004"
    return seg


def partly_automatic(images: list[Dataset]) -> Dataset:
    """One of two segments is a device's."""
    seg = segmentation(images, random_map(SHAPE), ("Bright", "Bright"))
    seg.SegmentSequence[1].SegmentAlgorithmType = "AUTOMATIC"
    return seg


def foreign(images: list[Dataset]) -> Dataset:
    """In another frame of reference."""
    return renamed(segmentation(images, random_map(SHAPE, 1)), FrameOfReferenceUID="1.2.3")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (with_unknown, "nothing says what 2 'Something' means: learn.map can"),
        (partly_automatic, "2 'Bright' is AUTOMATIC: no person drew it"),
        (foreign, "its frame of reference is not that of the images"),
    ],
)
def test_a_drawing_that_cannot_be_used_is_a_refused_label_with_the_reason(
    site: Site, made: Callable[[list[Dataset]], Dataset], words: str
) -> None:
    images = ct_series()
    send(site, [*images, made(images)])

    (row,) = drawn_labels(site)
    assert (row.state, row.reason) == (LabelState.REFUSED, words)


def test_a_drawing_on_images_of_another_study_is_refused_and_a_retraction_makes_it_no_better(site: Site) -> None:
    theirs = ct_series(subject=Subject(patient_id="PHANTOM-2", study="another"))
    send(site, [*ct_series(), *theirs], "PACS")
    seg = segmentation(theirs, random_map(SHAPE, 1))
    seg.StudyInstanceUID, seg.PatientID = ct_series()[0].StudyInstanceUID, SUBJECT.patient_id
    send(site, [seg])

    (row,) = drawn_labels(site)
    assert (row.state, row.reason) == (LabelState.REFUSED, "the images that it was drawn on are not in its study")
    send(site, [rejection(seg)])
    read_key_objects(site.index, site.config.node.state)
    assert [one.state for one in labels(site)] == [LabelState.REFUSED]


def test_a_drawing_under_another_patients_id_holds_its_study_and_gives_no_label(site: Site) -> None:
    images = ct_series()
    send(site, [*images, renamed(segmentation(images, random_map(SHAPE, 1)), PatientID="SOMEBODY-ELSE")])

    assert drawn_labels(site) == []


def test_a_lost_split_key_stops_learning_and_nothing_else(site: Site) -> None:
    images = ct_series()
    send(site, [*images, segmentation(images, random_map(SHAPE, 1))])
    drawn_labels(site)
    with site.index.transaction() as session:
        session.add(PatientRow(patient="ab" * 32, split="train", assigned_s=1.0))
        session.query(LabelRow).update({LabelRow.patient: ""})
    (site.config.node.state / KEY_FILE).unlink()

    (row,) = labels(site)

    assert row.patient == ""


def test_a_drawing_before_its_images_is_looked_at_again_when_they_are_here(site: Site) -> None:
    images, truth = ct_series(), random_map(SHAPE, 1)
    send(site, [*images[:3], segmentation(images, truth)])
    (row,) = drawn_labels(site)
    assert (row.state, row.reason) == (LabelState.REFUSED, "2 of the images that it was drawn on are not here")

    send(site, images[3:])

    (row,) = drawn_labels(site)
    assert (row.state, row.reason) == (LabelState.ATTACHED, "")


def test_the_same_segmentation_again_changes_nothing_and_a_new_content_replaces_it(site: Site) -> None:
    images = ct_series()
    first = segmentation(images, random_map(SHAPE, 1))
    send(site, [*images, first])
    drawn_labels(site)
    send(site, [first], "ANOTHER")
    assert len(drawn_labels(site)) == 1

    send(site, [segmentation(images, random_map(SHAPE, 1, seed=8))])

    assert [row.state for row in drawn_labels(site)] == [LabelState.WITHDRAWN, LabelState.ATTACHED]


@pytest.mark.parametrize(
    ("keyword", "state"), [("PatientName", LabelState.ATTACHED), ("PixelData", LabelState.REFUSED)]
)
def test_images_that_come_again_with_other_pixels_make_a_drawing_unusable_and_a_corrected_name_does_not(
    site: Site, keyword: str, state: LabelState
) -> None:
    images = ct_series()
    send(site, [*images, segmentation(images, random_map(SHAPE, 1))])
    drawn_labels(site)
    setattr(images[2], keyword, "Corrected^Name" if keyword == "PatientName" else images[1].PixelData)

    send(site, [images[2]], "PACS")

    assert [row.state for row in labels(site)] == [state]


def test_pixels_that_cannot_be_decoded_are_recorded_in_words(site: Site) -> None:
    images = ct_series()
    seg = segmentation(images, random_map(SHAPE, 1))
    seg.PixelData = seg.PixelData[:2]
    send(site, [*images, seg])

    assert [row.state for row in drawn_labels(site)] in ([], [LabelState.REFUSED])
    assert len(site.rows(HarvestedRow)) == 1


def test_a_drawing_that_the_map_could_not_read_is_read_again_when_a_person_says_so_and_a_used_one_is_not(
    site: Site,
) -> None:
    images = ct_series()
    unknown = structure_set(images, {"Thing": [(1, SQUARE)]})
    unknown.SOPInstanceUID = unknown.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    send(site, [*images, unknown, structure_set(images, {"Bright": [(1, SQUARE)]})])
    before = {row.object_uid: row.state for row in drawn_labels(site)}
    assert list(before.values()) == [LabelState.ATTACHED]
    with site.index.transaction() as session:
        assert read_again(session) == 1
    grown = Mapping(model=MODEL, output=1, words=("Thing",))
    learn = site.config.learn.model_copy(update={"map": (*site.config.learn.map, grown)})
    site.config = site.config.model_copy(update={"learn": learn})

    assert [row.state for row in drawn_labels(site)] == [LabelState.ATTACHED] * 2
    with site.index.transaction() as session:
        assert read_again(session) == 0
