"""What was learnt comes back with the node: versions, the record of decisions, split key, ledger and labels."""

from pathlib import Path

from dicomnode.backup.restore import restore
from dicomnode.backup.save import save
from dicomnode.config.load import load
from dicomnode.index.database import Index
from dicomnode.index.learning import DecisionRow, LabelRow, LookRow, SealedSetRow
from dicomnode.learn.split.keys import require_split_key, split_key
from dicomnode.learn.versions.in_use import in_use
from dicomnode.learn.versions.promote import Asked, promote
from dicomnode.learn.versions.record import checked
from tests.versions_made import MODEL, Shelf, judged, shadowed, shelf_made

LABELS = "training/labels/1.safetensors"


def learnt(folder: Path) -> Shelf:
    """A node with a version in use whose files it shares with another one, a look at a sealed set, and a label."""
    shelf = shelf_made(folder, domain="")
    shelf.made(b"other")
    row = shelf.made()
    judged(shelf, row)
    shadowed(shelf, row)
    promote(shelf.index, shelf.config, MODEL, row.version, Asked("Dr. Who", "a test"))
    file = shelf.config.node.state / LABELS
    file.parent.mkdir(parents=True)
    file.write_bytes(b"a mask")
    with shelf.index.transaction() as session:
        require_split_key(session, shelf.config.node.state)
        session.add(SealedSetRow(sealed_set="5" * 64, model=MODEL, patients=["a"], sealed_s=1.0))
        session.flush()
        session.add(LookRow(sealed_set="5" * 64, look=1, alpha=0.0125, candidate=row.digest, at_s=1.0))
        session.add(
            LabelRow(
                state="attached",
                model=MODEL,
                output=0,
                what="presence",
                value=1.0,
                source="person",
                made_s=1.0,
                at_s=1.0,
            )
        )
    return shelf


def test_what_was_learnt_comes_back_on_an_empty_machine(tmp_path: Path) -> None:
    shelf = learnt(tmp_path / "old")
    routed = '[[routes]]\nname = "all"\nmodels = ["bright"]\ndestinations = []\n'
    there = tmp_path / "new" / "config.toml"
    there.parent.mkdir()
    for file in (shelf.config.node.state.parent / "config.toml", there):
        file.write_text(f'[node]\nstate = "state"\n[infer]\nfolder = "models"\n{routed}')
    old, new = load(shelf.config.node.state.parent / "config.toml"), load(there)
    save(old, there, shelf.index, tmp_path / "backup.tar", with_studies=False)

    restore(tmp_path / "backup.tar", new)

    index = Index(new.index_url)
    with index.snapshot() as session:
        assert in_use(session, new, MODEL).version == "1.2.3+learned.2"
        assert checked(session, new.node.state).faults == ()
        assert (session.query(LookRow).count(), session.query(LabelRow).count()) == (1, 1)
        assert session.query(DecisionRow).count() == 6
    assert split_key(new.node.state) == split_key(old.node.state)
    assert (new.node.state / LABELS).read_bytes() == b"a mask"
    index.close()


def test_a_restored_record_that_lost_its_end_is_found(tmp_path: Path) -> None:
    shelf = learnt(tmp_path / "old")
    with shelf.index.transaction() as session:
        session.query(DecisionRow).filter(DecisionRow.number > 5).delete()

    with shelf.index.snapshot() as session:
        assert checked(session, shelf.config.node.state).faults
