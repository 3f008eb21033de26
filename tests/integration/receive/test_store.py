"""C-STORE and C-ECHO over real associations on loopback."""

import pytest
from pydicom import dcmread
from pynetdicom import ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts

from tests.integration.receive.conftest import Start
from tests.integration.receive.loopback import (
    BROKEN,
    FULL,
    MISMATCH,
    SUCCESS,
    Context,
    associate,
    data_set,
    echo,
    rejection,
    send,
    store,
    store_answer,
    wait_for,
)
from tests.phantom import CT, MR, SUBJECT, Subject, ct_series, mr_series


def test_echo_is_answered(start: Start) -> None:
    assert echo(start().port) == SUCCESS


def test_a_series_is_stored_as_sent(start: Start) -> None:
    node, images = start(), ct_series(slices=3)

    assert send(node.port, images) == [SUCCESS] * 3

    assert [file.read_bytes().endswith(data_set(image)) for file, image in zip_by_uid(node.files(), images)] == [
        True
    ] * 3
    assert [row.sop_instance_uid for row in node.instances()] == [image.SOPInstanceUID for image in images]
    assert node.studies()[0].patient_name == SUBJECT.patient_name


def zip_by_uid(files, images):
    by_uid = {image.SOPInstanceUID: image for image in images}
    return [(file, by_uid[dcmread(file).SOPInstanceUID]) for file in files]


def test_every_storage_class_is_accepted(start: Start) -> None:
    node = start()
    uids = [context.abstract_syntax for context in AllStoragePresentationContexts]

    for first in range(0, len(uids), 120):
        association = associate(node.port, [Context(uid) for uid in uids[first : first + 120]])
        assert association.is_established
        assert association.rejected_contexts == []
        association.release()


def test_every_transfer_syntax_is_accepted(start: Start) -> None:
    node = start()

    association = associate(node.port, [Context(CT, [uid]) for uid in ALL_TRANSFER_SYNTAXES])

    assert len(association.accepted_contexts) == len(ALL_TRANSFER_SYNTAXES)
    association.release()


def test_an_unknown_sop_class_and_a_private_transfer_syntax_are_refused_and_noted(start: Start) -> None:
    node = start()

    association = associate(node.port, [Context("1.2.3.4.5"), Context(CT, ["1.2.3.4.6"]), Context(MR)])

    assert [context.result for context in association.rejected_contexts] == [3, 4]
    assert [context.abstract_syntax for context in association.accepted_contexts] == [MR]
    assert wait_for(lambda: len(node.refusals()) == 2)
    association.release()


def test_a_data_set_of_another_instance_is_answered_a900_with_a_reason(start: Start) -> None:
    node, image = start(), ct_series(slices=1)[0]
    association = associate(node.port)

    status, comment = store_answer(association, image, sop_instance_uid="1.2.3.4")

    assert (status, comment) == (MISMATCH, "SOP Instance UID of the data set is not the one of the C-STORE r")
    assert store(association, image) == SUCCESS
    association.release()


def test_a_data_set_of_another_class_is_answered_a900(start: Start) -> None:
    node, image = start(), ct_series(slices=1)[0]
    association = associate(node.port, [Context(MR)])

    assert store(association, image, sop_class_uid=MR, context=MR) == MISMATCH
    assert node.files() == []
    association.release()


def test_a_truncated_file_and_noise_are_answered_c000_and_the_association_goes_on(start: Start) -> None:
    node, image = start(), ct_series(slices=1)[0]
    association = associate(node.port)

    assert store(association, image, data=data_set(image)[:-10]) == BROKEN
    assert store(association, image, data=b"not DICOM at all" * 9) == BROKEN
    assert store(association, image) == SUCCESS
    assert len(node.files()) == 1
    association.release()


def test_an_instance_above_the_limit_is_answered_a700(start: Start) -> None:
    node, (small, large) = start({"max_instance_bytes": 100_000}), ct_series(slices=2)
    large.PixelData = bytes(200_000)

    assert send(node.port, [large, small]) == [FULL, SUCCESS]
    assert len(node.files()) == 1


def test_a_call_for_another_ae_title_is_rejected(start: Start) -> None:
    node = start()

    association = associate(node.port, called="SOMEONE")

    assert rejection(association) == (1, 1, 7)
    assert wait_for(lambda: [row.reason for row in node.refusals()] == ["called AE title is not ours"])


def test_only_listed_callers_may_call_and_only_from_their_network(start: Start) -> None:
    callers = [
        {"ae_title": "PACS", "networks": ["127.0.0.0/8"]},
        {"ae_title": "FAR", "networks": ["10.1.2.0/24"]},
    ]
    node = start({"callers": callers})

    assert echo(node.port, calling="PACS") == SUCCESS
    assert rejection(associate(node.port, calling="FAR")) == (1, 1, 3)
    assert rejection(associate(node.port, calling="STRANGER")) == (1, 1, 3)


def test_below_the_reserve_associations_are_rejected_as_transient_and_echo_is_still_answered(start: Start) -> None:
    node = start({"reserve_bytes": 1 << 60})

    assert rejection(associate(node.port)) == (2, 3, 2)
    assert echo(node.port) == SUCCESS
    assert wait_for(lambda: [row.reason for row in node.refusals()] == ["less free disk than the reserve"])


def test_an_open_association_is_answered_a700_when_the_disk_falls_below_the_reserve(start: Start) -> None:
    node, image = start(), ct_series(slices=1)[0]
    association = associate(node.port)
    node.receiver._intake.limits = type(node.receiver._intake.limits)(1 << 60, 1 << 30)

    assert store(association, image) == FULL

    node.receiver._intake.limits = type(node.receiver._intake.limits)(0, 1 << 30)
    assert store(association, image) == SUCCESS
    association.release()


def test_a_study_with_two_patient_ids_is_held_and_goes_on_when_they_agree(start: Start) -> None:
    node = start()
    one, two = ct_series(slices=1)[0], mr_series(slices=1)[0]
    two.PatientID = "SOMEONE-ELSE"

    send(node.port, [one, two])
    assert [study.state for study in node.studies()] == ["held"]
    assert len(node.instances()) == 2

    two.PatientID = one.PatientID
    send(node.port, [two])
    assert [study.state for study in node.studies()] == ["receiving"]
    assert len(node.instances()) == 3


def test_an_empty_patient_id_is_accepted(start: Start) -> None:
    node = start()

    assert send(node.port, ct_series(slices=1, subject=Subject(patient_id=""))) == [SUCCESS]
    assert node.studies()[0].patient_id == ""


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        (["ISO 2022 IR 6", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["ISO 2022 IR 6", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("ISO_IR 144", "Люкceмбypг"),
        ("ISO_IR 192", "Ivanov^Иван=伊万"),
    ],
    ids=["Japanese", "Korean", "Chinese", "Cyrillic", "UTF-8"],
)
def test_a_name_in_any_character_set_reaches_the_index(start: Start, character_set: object, name: str) -> None:
    node, image = start(), ct_series(slices=1)[0]
    image.SpecificCharacterSet, image.PatientName = character_set, name

    assert send(node.port, [image]) == [SUCCESS]
    assert node.studies()[0].patient_name == name
