"""A patient is forgotten: nothing of them is left in what learning keeps, and it is told who saw them."""

import pytest

from dicomnode.errors import ModelFault
from dicomnode.index.learning import DecisionRow, LabelRow, LearnedVersionRow, PatientRow, TrainingItemRow
from dicomnode.index.schema import InstanceRow, TrainingMemberRow
from dicomnode.learn.harvest.labels import NewLabel, add_labels
from dicomnode.learn.harvest.named import Named
from dicomnode.learn.sets.forget import forget
from dicomnode.learn.sets.manifest import load_set
from dicomnode.learn.split.keys import patient_key, split_key
from dicomnode.learn.split.merge import merge
from dicomnode.learn.values import Source, TrainingSet
from tests.unit.learn.sets.conftest import MODEL, Hospital, radiograph

LABEL = "training/labels/drawn.safetensors"


@pytest.fixture
def trained(hospital: Hospital) -> TrainingSet:
    """A set of three patients, and a version that was made with it."""
    (hospital.state / "training" / "labels").mkdir(parents=True)
    (hospital.state / LABEL).write_bytes(b"a mask")
    for n in range(3):
        hospital.receive(image := radiograph(n))
        hospital.label(image.StudyInstanceUID, float(n % 2), **({"file": LABEL} if n == 1 else {}))
    made = hospital.build()
    with hospital.index.transaction() as session:
        session.add(
            LearnedVersionRow(
                digest="d" * 64, model=MODEL, version="1.2.3+learned.1", folder="models/d", parent="p" * 64,
                base="b" * 64, recipe="head", training_set=made.digest, state="in use", created_s=1.0,
            )
        )  # fmt: skip
    return made


def test_items_labels_and_rows_go_and_the_versions_that_saw_them_are_named(hospital: Hospital, trained) -> None:
    key = patient_key(split_key(hospital.state), "", "PLANTED-1")
    (item,) = [item for item in trained.items if item.patient == key]

    done = forget(hospital.index, hospital.config, patient_id="PLANTED-1", by="A. Person", reason="asked for it")

    assert (done.items, done.labels, done.sets) == (1, 1, 1)
    assert f"{MODEL} 1.2.3+learned.1 (in use) was" in done.words()
    assert not (hospital.state / LABEL).exists()
    assert not (trained.folder / item.file).exists()
    manifest = hospital.state / "training" / "sets" / f"{trained.digest}.json"
    assert key not in manifest.read_text()
    with pytest.raises(ModelFault, match="was forgotten: make it again"):
        load_set(manifest)
    with hospital.index.snapshot() as session:
        assert session.query(TrainingItemRow).filter_by(patient=key).count() == 0
        assert session.query(LabelRow).filter_by(patient=key).count() == 0
        assert session.query(TrainingMemberRow).count() == session.query(InstanceRow).count() - 1
        (decision,) = session.query(DecisionRow).all()
        assert (decision.what, decision.by) == ("forget", "A. Person")
        assert "PLANTED" not in str(decision.details)


def test_a_forgotten_patient_never_comes_back(hospital: Hospital, trained) -> None:
    forget(hospital.index, hospital.config, patient_id="PLANTED-1", by="A. Person")
    hospital.receive(image := radiograph(9, patient="PLANTED-1"))
    hospital.label(image.StudyInstanceUID)

    made = hospital.build()

    assert len(made.items) == 2
    assert patient_key(split_key(hospital.state), "", "PLANTED-1") not in made.patients(*{i.split for i in made.items})


def test_who_was_merged_is_forgotten_under_every_id(hospital: Hospital, trained) -> None:
    secret = split_key(hospital.state)
    with hospital.index.transaction() as session:
        merge(session, secret, *(patient_key(secret, "", f"PLANTED-{n}") for n in (0, 1)), 5.0)

    assert forget(hospital.index, hospital.config, patient_id="PLANTED-0", by="A. Person").items == 2

    with hospital.index.snapshot() as session:
        assert session.query(PatientRow).filter(PatientRow.forgotten_s.is_not(None)).count() == 2


def test_a_patient_nobody_knows_is_excluded_all_the_same(hospital: Hospital) -> None:
    done = forget(hospital.index, hospital.config, patient_id="PLANTED-5", issuer="North", by="A. Person")

    assert (done.items, done.seen_by) == (0, ())
    assert "no version saw this patient" in done.words()
    hospital.receive(image := radiograph(5, IssuerOfPatientID="North"))
    hospital.label(image.StudyInstanceUID)
    assert hospital.build().items == ()


@pytest.mark.parametrize(("issuer", "left"), [("", 0), ("North", 0), ("South", 1)])
def test_a_label_that_waits_for_a_study_of_the_patient_is_forgotten_too(
    hospital: Hospital, issuer: str, left: int
) -> None:
    of = (Named("PLANTED-7", ("North",)),)
    waiting = NewLabel(MODEL, 0, 1.0, Source.REPORT, "english 1", 1.0, accession_number="A7", of=of)
    with hospital.index.transaction() as session:
        add_labels(session, [waiting], hospital.state)

    done = forget(hospital.index, hospital.config, patient_id="PLANTED-7", issuer=issuer, by="A. Person")

    assert done.labels == 1 - left
    with hospital.index.snapshot() as session:
        assert session.query(LabelRow).count() == left
