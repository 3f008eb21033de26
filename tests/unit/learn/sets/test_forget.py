"""A patient is forgotten: nothing of them is left in what learning keeps, and it is told who saw them."""

from pathlib import Path

import pytest

from dicomnode.errors import ModelFault
from dicomnode.index.learning import (
    DecisionRow,
    DuplicateRow,
    LabelRow,
    LearnedVersionRow,
    LearningRow,
    PatientRow,
    TrainingItemRow,
    TrainingSetRow,
)  # fmt: skip
from dicomnode.index.schema import InstanceRow, TrainingMemberRow
from dicomnode.learn.harvest.labels import NewLabel, add_labels
from dicomnode.learn.harvest.named import Named
from dicomnode.learn.orders import PrepareOrder
from dicomnode.learn.sets import forget as forgetting
from dicomnode.learn.sets.forget import forget
from dicomnode.learn.sets.manifest import load_set
from dicomnode.learn.split.keys import patient_key, split_key, study_key_hash
from dicomnode.learn.split.merge import merge
from dicomnode.learn.values import Source, Split, TrainingSet
from tests.unit.learn.sets.conftest import MODEL, Hospital, radiograph
from tests.unit.learn.sets.test_build import ids

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


def told_on_disk(hospital: Hospital) -> str:
    """Names and text of all that learning keeps."""
    files = [path for path in (hospital.state / "training").rglob("*") if path.is_file()]
    return " ".join(path.name + (path.read_text() if path.suffix == ".json" else "") for path in files)


def running(hospital: Hospital) -> None:
    """A learning is being made."""
    with hospital.index.transaction() as session:
        session.add(LearningRow(job="flat:person:1", model=MODEL, trigger="person", state="running", started_s=1.0))


def test_a_patient_who_is_forgotten_while_a_set_is_made_leaves_nothing_in_it(hospital: Hospital) -> None:
    patient, other = ids(hospital, Split.TRAIN, Split.TRAIN)
    images = [radiograph(1, patient=patient, seed=1), radiograph(2, patient=patient, seed=2, Modality="CR"),
              radiograph(3, patient=other, seed=1), radiograph(4, patient="PLANTED-OTHER")]  # fmt: skip
    for image in images:
        hospital.receive(image)
        hospital.label(image.StudyInstanceUID)
    secret = split_key(hospital.state)
    key = patient_key(secret, "", patient)
    running(hospital)
    drafted: list[str] = []
    plain = hospital.child

    def child(folder: Path, order: PrepareOrder) -> dict[str, object]:
        done = plain(folder, order)
        drafted.extend(Path(raw.made).stem for raw in order.raw)
        assert forget(hospital.index, hospital.config, patient_id=patient, by="A. Person").items == 0
        return done

    hospital.child = child

    made = hospital.build()

    assert (len(drafted), len(made.items), made.left_out) == (3, 2, {})
    assert key not in made.patients(*Split)
    told = told_on_disk(hospital)
    assert not [uid for uid in (images[0], images[1]) if study_key_hash(secret, uid.StudyInstanceUID) in told]
    assert key not in told
    assert {item_id for item_id in drafted if item_id in told} == {item.item_id for item in made.items}
    with hospital.index.snapshot() as session:
        assert session.query(TrainingItemRow).filter_by(patient=key).count() == session.query(DuplicateRow).count() == 0
        assert session.query(TrainingMemberRow).count() == 2


def test_an_item_that_is_made_again_while_its_patient_is_forgotten_goes_too(
    hospital: Hospital, trained: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = patient_key(split_key(hospital.state), "", "PLANTED-1")
    (item,) = [item for item in trained.items if item.patient == key]
    running(hospital)
    plain = forgetting._remove_files

    def made_again(state: Path, traces: object) -> None:
        plain(state, traces)
        (trained.folder / item.file).write_bytes(b"made again")

    monkeypatch.setattr(forgetting, "_remove_files", made_again)
    forget(hospital.index, hospital.config, patient_id="PLANTED-1", by="A. Person")

    assert not (trained.folder / item.file).exists()


def test_a_list_of_items_that_a_crash_left_without_rows_is_cleaned_too(hospital: Hospital, trained) -> None:
    key = patient_key(split_key(hospital.state), "", "PLANTED-1")
    with hospital.index.transaction() as session:
        session.query(LearnedVersionRow).delete()
        session.query(TrainingMemberRow).delete()
        session.query(TrainingItemRow).delete()
        session.query(TrainingSetRow).delete()

    forget(hospital.index, hospital.config, patient_id="PLANTED-1", by="A. Person")

    assert key not in told_on_disk(hospital)
    assert list(trained.folder.rglob("*.safetensors")) == []
