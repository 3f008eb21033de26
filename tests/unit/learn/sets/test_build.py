"""A training set is built from what is labelled, item by item, and names nobody."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset
from sqlalchemy import delete

from dicomnode.archive.retention import retire
from dicomnode.errors import DiskReserve, ModelFault
from dicomnode.index.learning import DuplicateRow, LabelRow, PatientRow, TrainingItemRow
from dicomnode.index.schema import InstanceRow, StudyRow, TrainingMemberRow
from dicomnode.learn.apart import KilledEachTime
from dicomnode.learn.orders import PrepareOrder
from dicomnode.learn.sets.manifest import LEFT_OUT, load_set
from dicomnode.learn.split.keys import patient_key, split_key, split_of
from dicomnode.learn.split.merge import merge
from dicomnode.learn.split.patients import mark_trained
from dicomnode.learn.values import Source, Split
from tests.unit.learn.sets.conftest import Hospital, radiograph


def filled(hospital: Hospital, count: int = 3) -> list[Dataset]:
    images = [radiograph(n) for n in range(count)]
    for n, image in enumerate(images):
        hospital.receive(image)
        hospital.label(image.StudyInstanceUID, float(n % 2))
    return images


def manifest(hospital: Hospital, digest: str) -> Path:
    return hospital.state / "training" / "sets" / f"{digest}.json"


def ids(hospital: Hospital, *splits: Split) -> list[str]:
    """Patient IDs that the hash sends to these splits, one each."""
    secret = split_key(hospital.state)
    names = [f"PLANTED-{n}" for n in range(200)]
    found = []
    for split in splits:
        name = next(n for n in names if n not in found and split_of(secret, patient_key(secret, "", n)) is split)
        found.append(name)
    return found


def test_each_labelled_study_is_an_item_with_targets_groups_and_a_split_for_life(hospital: Hospital) -> None:
    images = filled(hospital)

    made = hospital.build()

    assert len(made.items) == 3
    assert sorted(item.targets for item in made.items) == [(0.0,), (0.0,), (1.0,)]
    assert {item.groups["sex"] for item in made.items} == {"O"}
    assert {item.groups["age_band"] for item in made.items} == {"40-59"}
    assert {item.groups["site"] for item in made.items} == {"unknown"}
    secret = split_key(hospital.state)
    assert {item.patient for item in made.items} == {patient_key(secret, "", i.PatientID) for i in images}
    assert load_set(manifest(hospital, made.digest)).items == made.items
    with hospital.index.snapshot() as session:
        assert session.query(TrainingItemRow).count() == session.query(PatientRow).count() == 3
        assert session.query(TrainingMemberRow).count() == session.query(InstanceRow).count()


def test_nothing_is_prepared_twice_and_a_lost_folder_gives_the_same_set_again(hospital: Hospital) -> None:
    filled(hospital)
    first = hospital.build()
    assert hospital.build().digest == first.digest
    assert len(hospital.jobs) == 1

    hospital.lose_items()
    with pytest.raises(ModelFault, match="3 items of training set"):
        load_set(manifest(hospital, first.digest))
    again = hospital.build()

    assert again.digest == first.digest
    assert len(hospital.jobs) == 2
    assert load_set(manifest(hospital, first.digest)).items == first.items


def test_only_new_items_are_prepared_and_a_changed_label_is_a_new_item(hospital: Hospital) -> None:
    images = filled(hospital)
    first = hospital.build()
    hospital.receive(image := radiograph(7))
    hospital.label(image.StudyInstanceUID)
    hospital.label(images[0].StudyInstanceUID, 1.0, source=Source.PERSON, made_s=9.0)

    second = hospital.build()

    assert [len(job.raw) for job in hospital.jobs] == [3, 2]
    assert len({item.item_id for item in second.items} & {item.item_id for item in first.items}) == 2


def test_a_study_that_cannot_be_used_is_told_with_its_reason_and_stops_nothing(hospital: Hospital) -> None:
    filled(hospital, 2)
    hospital.receive(image := radiograph(5, Modality="CR"))
    hospital.label(image.StudyInstanceUID)
    hospital.receive(unsure := radiograph(6))
    hospital.label(unsure.StudyInstanceUID, None)

    made = hospital.build()

    assert len(made.items) == 2
    assert made.left_out == {
        "the model takes no series of it: modality CR, the model takes DX": 1,
        "its labels are all uncertain": 1,
    }
    told = json.loads((hospital.state / "training" / "sets" / f"{made.digest}{LEFT_OUT}").read_text())
    assert sorted(one["why"] for one in told) == sorted(made.left_out)
    assert image.StudyInstanceUID not in json.dumps(told)


def test_a_study_that_kills_the_child_is_found_and_left_out(hospital: Hospital) -> None:
    filled(hospital, 4)
    poison: list[str] = []
    plain = hospital.child

    def child(folder: Path, order):
        poison[:] = poison or [order.raw[2].file]
        if any(raw.file == poison[0] for raw in order.raw):
            raise KilledEachTime("the process of job prepare ended 3 times")
        return plain(folder, order)

    hospital.child = child

    made = hospital.build()

    assert len(made.items) == 3
    assert made.left_out == {"the process of job prepare ended 3 times": 1}


def test_too_little_room_on_the_disk_stops_before_anything_is_written(hospital: Hospital) -> None:
    filled(hospital, 1)
    receive = hospital.config.receive.model_copy(update={"reserve_bytes": 1 << 60})
    hospital.config = hospital.config.model_copy(update={"receive": receive})

    with pytest.raises(DiskReserve, match="no room for training items"):
        hospital.build()


def test_a_scope_takes_the_studies_of_its_site_alone(hospital: Hospital) -> None:
    filled(hospital, 2)
    hospital.receive(image := radiograph(5, StationName="north"))
    hospital.label(image.StudyInstanceUID)

    assert len(hospital.build("site:North").items) == 1
    assert len(hospital.build().items) == 3


def test_merged_patients_are_one_patient_of_one_split(hospital: Hospital) -> None:
    images = filled(hospital, 2)
    secret = split_key(hospital.state)
    keys = [patient_key(secret, "", image.PatientID) for image in images]
    hospital.build()
    with hospital.index.transaction() as session:
        merge(session, secret, *keys, 5.0)

    made = hospital.build()

    assert {item.patient for item in made.items} == {keys[1]}
    assert len({item.split for item in made.items}) == 1


def test_an_image_that_names_another_id_of_its_patient_merges_the_two(hospital: Hospital) -> None:
    images = filled(hospital, 2)
    hospital.build()
    other = Dataset()
    other.PatientID = images[0].PatientID
    hospital.receive(image := radiograph(9, OtherPatientIDsSequence=[other]))
    hospital.label(image.StudyInstanceUID)

    made = hospital.build()

    assert len({item.patient for item in made.items}) == 2


def test_a_study_sent_again_under_a_test_patient_after_it_was_trained_on_bars_that_patient(hospital: Hospital) -> None:
    train, test = ids(hospital, Split.TRAIN, Split.TEST)
    for n, patient in enumerate((train, test)):
        hospital.receive(image := radiograph(n, patient=patient))
        hospital.label(image.StudyInstanceUID)
    first = hospital.build()
    with hospital.index.transaction() as session:
        mark_trained(session, first.patients(Split.TRAIN))
    assert len(first.patients(Split.TEST)) == 1

    hospital.receive(again := radiograph(0, patient=test))  # corrected at the PACS
    hospital.label(again.StudyInstanceUID, 1.0, made_s=5.0)
    second = hospital.build()

    assert second.patients(Split.TEST) == frozenset()
    assert len({item.patient for item in second.items}) == 1


def test_near_duplicate_pixels_of_two_patients_are_reported_and_the_test_keeps_its_own(hospital: Hospital) -> None:
    train, test = ids(hospital, Split.TRAIN, Split.TEST)
    hospital.receive(one := radiograph(0, patient=train, seed=3))
    hospital.receive(other := radiograph(1, patient=test, seed=3))
    for image in (one, other, *filled(hospital, 0)):
        hospital.label(image.StudyInstanceUID)

    made = hospital.build()

    assert [item.split for item in made.items] == [Split.TEST]
    assert made.left_out == {"nearly the same pixels as an image of another patient in test": 1}
    with hospital.index.snapshot() as session:
        (row,) = session.query(DuplicateRow).all()
        assert row.distance < 1e-3


def test_of_near_duplicates_the_test_goes_where_the_other_was_trained_on(hospital: Hospital) -> None:
    train, test = ids(hospital, Split.TRAIN, Split.TEST)
    hospital.receive(one := radiograph(0, patient=train, seed=3))
    hospital.label(one.StudyInstanceUID)
    first = hospital.build()
    with hospital.index.transaction() as session:
        mark_trained(session, first.patients(Split.TRAIN))
    hospital.receive(other := radiograph(1, patient=test, seed=3))
    hospital.label(other.StudyInstanceUID)

    assert [item.split for item in hospital.build().items] == [Split.TRAIN]


def test_no_planted_name_is_found_in_what_learning_writes(hospital: Hospital, caplog, capsys) -> None:
    caplog.set_level(logging.DEBUG)
    images = filled(hospital)
    hospital.receive(bad := radiograph(6, Modality="CR"))
    hospital.label(bad.StudyInstanceUID)
    made = hospital.build()
    kept: list[bytes] = []
    plain = hospital.child

    def child(folder: Path, order):
        kept.extend(file.read_bytes() for file in folder.rglob("*") if file.is_file())
        return plain(folder, order)

    hospital.child = child
    hospital.lose_items()
    hospital.build()

    output = capsys.readouterr()
    told = [caplog.text.encode(), output.out.encode(), output.err.encode(), repr(made).encode(), *kept]
    for part in ("learning", "training"):
        files = [file for file in (hospital.state / part).rglob("*") if file.is_file()]
        told += [file.read_bytes() + file.name.encode() for file in files]
    assert len(kept) == 3
    for image in (*images, bad):
        for secret in (image.PatientID, image.PatientName, image.AccessionNumber, image.PatientBirthDate):
            assert not [text for text in told if str(secret).encode() in text]
        assert not [text for text in told if str(image.StudyInstanceUID).encode() in text]
    assert b"PLANTED" not in b"".join(told).upper().replace(b"TEST_NO_PLANTED", b"")


def while_preparing(hospital: Hospital, happens: Callable[[], object]) -> None:
    """Something happens when items are made and the set is not entered yet."""
    plain = hospital.child

    def child(folder: Path, order: PrepareOrder) -> dict[str, object]:
        done = plain(folder, order)
        happens()
        return done

    hospital.child = child


def files_of(hospital: Hospital) -> list[str]:
    return sorted(path.stem for path in (hospital.state / "training" / "items").rglob("*.safetensors"))


def test_a_study_that_retention_removes_while_a_set_is_made_is_left_out_and_told(hospital: Hospital) -> None:
    images = filled(hospital)
    retire_all = hospital.config.storage.model_copy(update={"keep_days": 1.0})
    config = hospital.config.model_copy(update={"storage": retire_all})
    with hospital.index.transaction() as session:
        session.query(StudyRow).filter_by(study_uid=images[1].StudyInstanceUID).one().last_received_s = 1.0
        for row in session.query(StudyRow).filter(StudyRow.study_uid != images[1].StudyInstanceUID):
            row.last_received_s = time.time()
    while_preparing(hospital, lambda: retire(hospital.index, config, time.time()))

    made = hospital.build()

    assert (len(made.items), made.left_out) == (2, {"its images went while the set was made": 1})
    assert load_set(manifest(hospital, made.digest)).items == made.items
    assert files_of(hospital) == sorted(item.item_id for item in made.items)
    with hospital.index.snapshot() as session:
        assert session.query(TrainingItemRow).count() == session.query(TrainingMemberRow).count() == 2


def test_an_instance_that_got_the_number_of_a_removed_one_is_no_member_of_its_set(hospital: Hospital) -> None:
    (image,) = filled(hospital, 1)

    def another_comes() -> None:
        with hospital.index.transaction() as session:
            study = session.query(StudyRow).filter_by(study_uid=image.StudyInstanceUID).one()
            session.execute(delete(InstanceRow).where(InstanceRow.study_key == study.study_key))
        hospital.receive(radiograph(9))

    while_preparing(hospital, another_comes)

    assert hospital.build().items == ()
    with hospital.index.snapshot() as session:
        assert [row.instance_key for row in session.query(InstanceRow)] == [1]
        assert session.query(TrainingMemberRow).count() == 0


def test_an_item_that_no_set_names_is_removed_when_the_next_set_is_made(hospital: Hospital) -> None:
    filled(hospital, 2)
    while_preparing(hospital, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        hospital.build()
    assert len(files_of(hospital)) == 2
    hospital.child = Hospital.child.__get__(hospital)
    with hospital.index.transaction() as session:
        session.query(LabelRow).filter_by(label_key=1).delete()

    made = hospital.build()

    assert files_of(hospital) == [made.items[0].item_id]
