"""What the index makes of each arrival."""

import threading
from pathlib import Path

import pytest

from dicomnode.index.identity import NotHeld, UnknownPatient, settle
from dicomnode.index.schema import ModelVersionRow, StudyRow
from dicomnode.index.studies import Filter, list_studies, load_study, received_counts, study_digest
from tests.phantom import SUBJECT, Subject, ct_series, mr_series
from tests.unit.archive.archived import Archive


@pytest.fixture
def archive(tmp_path: Path):
    opened = Archive(tmp_path / "state")
    yield opened
    opened.index.close()


def digest(archive: Archive) -> str:
    with archive.index.snapshot() as session:
        return study_digest(load_study(session, archive.state, 1))


def test_a_study_is_loaded_in_a_stable_order_whatever_order_it_came_in(archive: Archive) -> None:
    images = [*ct_series(slices=12), *mr_series(slices=2)]
    archive.receive(list(reversed(images)))

    with archive.index.snapshot() as session:
        study = load_study(session, archive.state, 1)

    by_series = {series.series_uid: [one.sop_instance_uid for one in series.instances] for series in study.series}
    assert list(by_series) == sorted(by_series)
    assert by_series[images[0].SeriesInstanceUID] == [image.SOPInstanceUID for image in images[:12]]
    assert all(one.path.is_file() for series in study.series for one in series.instances)


def test_the_digest_changes_with_content_and_not_with_a_repeat(archive: Archive) -> None:
    images = ct_series(slices=2)
    archive.receive(images)
    first, arrived_s = digest(archive), archive.study().last_received_s

    archive.receive(images)
    assert (digest(archive), archive.study().last_received_s) == (first, arrived_s)

    images[0].PatientName = "Other^Name"
    archive.receive(images[:1])
    assert digest(archive) != first
    assert archive.study().last_received_s > arrived_s
    assert archive.study().patient_name == "Other^Name"


def test_the_older_content_is_current_again_when_it_is_sent_again(archive: Archive) -> None:
    (image,) = ct_series(slices=1)
    archive.receive([image])
    first = digest(archive)
    image.PatientName = "Wrong^Correction"
    archive.receive([image])
    image.PatientName = SUBJECT.patient_name

    archive.receive([image])

    assert digest(archive) == first
    assert [row.current for row in archive.instances()] == [True, False]


def test_our_own_result_is_stored_and_starts_nothing(archive: Archive) -> None:
    (image,) = ct_series(slices=1)
    archive.receive([image])
    archive.age(1, 5.0)
    archive.run(1, "done")
    (result,) = mr_series(slices=1)
    archive.result(result.SOPInstanceUID, "sent")
    before = digest(archive)

    archive.receive([result])

    assert [row.own_result for row in archive.instances()] == [False, True]
    assert (archive.study().state, archive.study().last_received_s) == ("decided", 5.0)
    assert digest(archive) == before
    with archive.index.snapshot() as session:
        assert received_counts(session, 1) == {image.SeriesInstanceUID: 1}


def test_a_result_that_names_one_of_our_model_versions_is_ours_even_when_the_run_is_forgotten(archive: Archive) -> None:
    with archive.index.transaction() as session:
        session.add(
            ModelVersionRow(digest="d", name="m", version="1", device_uid="2.25.7", approved_by="x", approved_s=0.0)
        )
    (image,) = ct_series(slices=1)
    item = type(image)()
    item.DeviceUID = "2.25.7"
    image.ContributingEquipmentSequence = [item]

    archive.receive([image])

    assert archive.instances()[0].own_result
    assert archive.study().state == "decided"


def test_a_late_image_makes_a_decided_study_receiving_again(archive: Archive) -> None:
    images = ct_series(slices=2)
    archive.receive(images[:1])
    archive.age(1, 5.0)

    archive.receive(images[1:])

    assert archive.study().state == "receiving"


def test_a_decided_study_that_comes_again_under_another_patient_id_is_decided_again(archive: Archive) -> None:
    (image,) = ct_series(slices=1)
    archive.receive([image])
    archive.age(1, 5.0)
    image.PatientID = "CORRECTED"

    archive.receive([image])

    assert (archive.study().state, archive.study().patient_id) == ("receiving", "CORRECTED")


def held(archive: Archive):
    one, two = ct_series(slices=1)[0], mr_series(slices=1)[0]
    two.PatientID = "SOMEONE-ELSE"
    archive.receive([one, two])
    assert (archive.study().state, len(archive.instances())) == ("held", 2)
    return one, two


def test_a_held_study_names_no_patient_in_its_reason(archive: Archive) -> None:
    held(archive)

    assert "different Patient IDs" in archive.study().reason
    assert "SOMEONE-ELSE" not in archive.study().reason


def test_a_held_study_stays_held_while_more_arrives(archive: Archive) -> None:
    held(archive)

    archive.receive(ct_series(slices=3))

    assert archive.study().state == "held"


def test_a_person_settles_whose_a_held_study_is(archive: Archive) -> None:
    one, two = held(archive)

    with archive.index.transaction() as session:
        assert settle(session, SUBJECT.study_uid, SUBJECT.patient_id) == 1

    assert (archive.study().state, archive.study().patient_id) == ("receiving", SUBJECT.patient_id)
    assert {row.sop_instance_uid: row.current for row in archive.instances()} == {
        one.SOPInstanceUID: True,
        two.SOPInstanceUID: False,
    }
    archive.receive([two])
    assert archive.study().state == "held"


def test_settling_what_is_not_held_or_names_a_stranger_is_refused(archive: Archive) -> None:
    held(archive)
    with archive.index.transaction() as session:
        with pytest.raises(UnknownPatient):
            settle(session, SUBJECT.study_uid, "NOBODY")
        with pytest.raises(NotHeld):
            settle(session, "1.2.3", SUBJECT.patient_id)


def test_an_empty_patient_id_beside_a_named_one_holds_nothing(archive: Archive) -> None:
    one, two = ct_series(slices=2)
    two.PatientID = ""

    archive.receive([two, one])

    assert archive.study().state == "receiving"
    assert archive.study().patient_id == SUBJECT.patient_id


def test_the_same_new_study_from_many_threads_is_entered_once(archive: Archive) -> None:
    images = ct_series(slices=6)
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.extend(archive.receive(images))) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [0] * 24
    assert len(archive.instances()) == 6
    assert len(archive.studies()) == 1


def test_studies_are_listed_by_what_is_asked_for(archive: Archive) -> None:
    archive.receive(ct_series(slices=2))
    other = Subject(study="study 2", patient_id="P2", accession="A2", study_date="20251231")
    archive.receive(mr_series(slices=3, subject=other))

    def uids(**asked: object) -> list[str]:
        with archive.index.snapshot() as session:
            return [one.study.study_uid for one in list_studies(session, Filter(**asked))]

    both = [other.study_uid, SUBJECT.study_uid]
    assert uids() == uids(study_date="20") == uids(state="receiving") == both
    for asked in ({"patient_id": "P2"}, {"accession_number": "A2"}, {"modality": "MR"}, {"study_date": "2025"}):
        assert uids(**asked) == [other.study_uid]
    assert uids(limit=1) == both[:1]
    assert uids(since_s=4e9) == uids(modality="PT") == uids(study_date="%") == []


@pytest.mark.filterwarnings("ignore:The value length")
def test_a_study_row_keeps_what_a_person_looks_for(archive: Archive) -> None:
    (image,) = ct_series(slices=1)
    image.StudyDescription = "x" * 300
    archive.receive([image])

    row: StudyRow = archive.study()
    assert (row.accession_number, row.study_date, row.patient_sex) == ("ACC-1", "20260304", "O")
    assert row.description == "x" * 255
