"""What it takes to put a version in use, and to take it back."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicomnode.bundles.approval import approve
from dicomnode.check.bundles import versions
from dicomnode.errors import ConfigFault, NodeError
from dicomnode.index.learning import (
    AlarmRow,
    DecisionRow,
    InUseRow,
    LearnedVersionRow,
    LookRow,
    SealedSetRow,
    ShadowRow,
)
from dicomnode.learn.split.merge import FORGOTTEN
from dicomnode.learn.values import Verdict
from dicomnode.learn.versions.folders import Tampered
from dicomnode.learn.versions.in_use import in_use
from dicomnode.learn.versions.promote import Asked, promote
from dicomnode.learn.versions.rollback import answering, automatic_rollback, rollback
from dicomnode.learn.versions.shadow import start_shadow
from dicomnode.values import Header
from tests.versions_made import MODEL, Shelf, judged, shadowed, shelf_made

ASKED = Asked("Dr. Who", "better on our scanner")
RESEARCH = Asked("Dr. Who", "for the study of 2026", research=True)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return shelf_made(tmp_path, domain="")


def ready(shelf: Shelf, weights: bytes = b"weights", verdict: Verdict = Verdict.PROMOTE, parent: str = "") -> str:
    """A version that the gate judged and whose shadow period is over; its name."""
    row = shelf.made(weights, parent=parent)
    judged(shelf, row, verdict)
    shadowed(shelf, row)
    return row.version


def answers(shelf: Shelf) -> str:
    with shelf.index.snapshot() as session:
        return in_use(session, shelf.config, MODEL).version


def test_a_named_person_puts_a_version_in_use_and_the_record_says_so(shelf: Shelf) -> None:
    row = promote(shelf.index, shelf.config, MODEL, ready(shelf), ASKED)

    assert answers(shelf) == row.version == "1.2.3+learned.1"
    with shelf.index.snapshot() as session:
        entry = session.query(DecisionRow).filter_by(what="promoted").one()
        assert (entry.digest, entry.by, entry.reason) == (row.digest, "Dr. Who", "better on our scanner")
        assert session.get_one(LearnedVersionRow, row.digest).state == "in use"


@pytest.mark.parametrize("asked", [Asked("", "because"), Asked("Dr. Who", "  ")])
def test_nobody_and_no_reason_promote_nothing(shelf: Shelf, asked: Asked) -> None:
    with pytest.raises(ConfigFault, match=r"--by|--reason"):
        promote(shelf.index, shelf.config, MODEL, ready(shelf), asked)


def test_a_version_that_the_gate_did_not_judge_is_refused(shelf: Shelf) -> None:
    row = shelf.made()
    shadowed(shelf, row)

    with pytest.raises(ConfigFault, match="has not judged"):
        promote(shelf.index, shelf.config, MODEL, row.version, RESEARCH)


@pytest.mark.parametrize("verdict", [Verdict.SHADOW, Verdict.UNDERPOWERED])
def test_another_verdict_than_promote_is_for_research_alone(shelf: Shelf, verdict: Verdict) -> None:
    name = ready(shelf, verdict=verdict)

    with pytest.raises(ConfigFault, match=f"verdict is {verdict}"):
        promote(shelf.index, shelf.config, MODEL, name, ASKED)
    row = promote(shelf.index, shelf.config, MODEL, name, RESEARCH)

    with shelf.index.snapshot() as session:
        assert in_use(session, shelf.config, MODEL).research
        assert session.query(DecisionRow).filter_by(what="promoted").one().details["research"] is True
    assert row.research


def test_a_version_with_the_verdict_promote_is_no_research_even_where_that_was_asked_for(shelf: Shelf) -> None:
    assert promote(shelf.index, shelf.config, MODEL, ready(shelf), RESEARCH).research is False


@pytest.mark.parametrize("asked", [ASKED, RESEARCH])
def test_nothing_overrides_the_shadow_period(shelf: Shelf, asked: Asked) -> None:
    row = shelf.made()
    judged(shelf, row)

    with pytest.raises(ConfigFault, match="had no shadow period"):
        promote(shelf.index, shelf.config, MODEL, row.version, asked)
    with shelf.index.transaction() as session:
        start_shadow(session, shelf.config, row.digest)
    with pytest.raises(ConfigFault, match="0 of 200 studies"):
        promote(shelf.index, shelf.config, MODEL, row.version, asked)


@pytest.mark.parametrize("asked", [ASKED, RESEARCH])
def test_a_shadow_period_that_another_candidate_cut_short_is_none_and_can_begin_anew(
    shelf: Shelf, asked: Asked
) -> None:
    name = ready(shelf)
    with shelf.index.transaction() as session:  # one study was compared, and 200 are wanted
        digest = session.query(ShadowRow.digest).scalar()
        session.query(ShadowRow).update({"studies": 200, "ended_s": None})
    other = shelf.made(b"others").digest
    with shelf.index.transaction() as session:
        start_shadow(session, shelf.config, other)

    with pytest.raises(ConfigFault, match="was cut short: 1 of 200 studies"):
        promote(shelf.index, shelf.config, MODEL, name, asked)
    with shelf.index.transaction() as session:
        again = start_shadow(session, shelf.config, digest)
        assert (again.ended_s, session.get_one(LearnedVersionRow, digest).state) == (None, "shadow")


def test_a_verdict_that_a_trained_patient_spoils_is_for_research_alone(shelf: Shelf) -> None:
    name = ready(shelf)
    with shelf.index.transaction() as session:
        digest = session.query(LearnedVersionRow.digest).scalar()
        session.add(SealedSetRow(sealed_set="s", model=MODEL, patients=[], sealed_s=1.0))
        session.flush()
        look = LookRow(sealed_set="s", look=1, alpha=0.01, candidate=digest, at_s=1.0)
        look.marked = f"2026-11-20: {FORGOTTEN}; 2026-11-21: one was trained on"
        session.add(look)

    with pytest.raises(ConfigFault, match="known since its verdict: 2026-11-21: one was trained on; for research"):
        promote(shelf.index, shelf.config, MODEL, name, ASKED)
    assert promote(shelf.index, shelf.config, MODEL, name, RESEARCH).research


@pytest.mark.parametrize("asked", [ASKED, RESEARCH])
def test_nothing_overrides_the_rule_of_integrity(shelf: Shelf, asked: Asked) -> None:
    row = shelf.made()
    judged(shelf, row, whole=False)
    shadowed(shelf, row)

    with pytest.raises(ConfigFault, match="G0"):
        promote(shelf.index, shelf.config, MODEL, row.version, asked)


def test_a_changed_version_folder_is_not_promoted(shelf: Shelf) -> None:
    name = ready(shelf)
    with shelf.index.snapshot() as session:
        folder = shelf.config.node.state / session.query(LearnedVersionRow).one().folder
    (folder / "dicom.toml").unlink()

    with pytest.raises(Tampered):
        promote(shelf.index, shelf.config, MODEL, name, RESEARCH)


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(shelf: Shelf) -> None:
    names = [ready(shelf, weights) for weights in (b"one", b"two")]

    def tried(name: str) -> str:
        try:
            return promote(shelf.index, shelf.config, MODEL, name, ASKED).version
        except NodeError as fault:
            return str(fault)

    with ThreadPoolExecutor(2) as threads:
        said = list(threads.map(tried, names))

    (won,) = set(said) & set(names)
    (told,) = set(said) - set(names)
    assert answers(shelf) == won
    assert "is in use now: make a new candidate" in told


def test_a_version_made_from_another_installed_bundle_is_refused_in_words(shelf: Shelf) -> None:
    name = ready(shelf)
    (shelf.base.folder / "configs" / "metadata.json").write_text('{"version": "2.0.0"}')
    approve(shelf.index, shelf.base.folder, "a person")

    with pytest.raises(ConfigFault, match="made from another installed bundle"):
        promote(shelf.index, shelf.config, MODEL, name, ASKED)


def test_a_rollback_goes_back_one_version_at_a_time_until_the_installed_bundle(shelf: Shelf) -> None:
    first = promote(shelf.index, shelf.config, MODEL, ready(shelf, b"one"), ASKED)
    promote(shelf.index, shelf.config, MODEL, ready(shelf, b"two", parent=first.digest), ASKED)

    rollback(shelf.index, shelf.config, MODEL, by="Dr. Who", reason="too many alarms")
    assert answers(shelf) == first.version
    rollback(shelf.index, shelf.config, MODEL, by="Dr. Who", reason="again")
    assert answers(shelf) == shelf.base.version
    with pytest.raises(ConfigFault, match="the installed bundle answers already"):
        rollback(shelf.index, shelf.config, MODEL, by="Dr. Who", reason="once more")


def test_a_version_that_was_rolled_back_can_be_promoted_again(shelf: Shelf) -> None:
    name = ready(shelf)
    promote(shelf.index, shelf.config, MODEL, name, ASKED)
    rollback(shelf.index, shelf.config, MODEL, by="Dr. Who", reason="by mistake")

    promote(shelf.index, shelf.config, MODEL, name, ASKED)

    assert answers(shelf) == name


def test_a_rollback_passes_over_a_version_whose_files_were_changed(shelf: Shelf) -> None:
    first = promote(shelf.index, shelf.config, MODEL, ready(shelf, b"one"), ASKED)
    promote(shelf.index, shelf.config, MODEL, ready(shelf, b"two", parent=first.digest), ASKED)
    (shelf.config.node.state / first.folder / "dicom.toml").unlink()

    rollback(shelf.index, shelf.config, MODEL, by="Dr. Who", reason="back")

    assert answers(shelf) == shelf.base.version


def test_a_poisoned_version_in_use_is_rolled_back_by_itself_and_a_person_alarmed(shelf: Shelf) -> None:
    row = promote(shelf.index, shelf.config, MODEL, ready(shelf), ASKED)
    (shelf.config.node.state / row.folder / "scripts" / "networks.py").unlink()

    assert answering(shelf.index, shelf.config, MODEL, Header({})) == shelf.base

    with shelf.index.snapshot() as session:
        assert session.query(AlarmRow).one().kind == "integrity"
        assert session.query(InUseRow).count() == 0
        assert session.query(DecisionRow).filter_by(what="rolled back").one().by == "the node itself"


def test_a_version_that_is_not_in_use_is_not_rolled_back_by_itself(shelf: Shelf) -> None:
    assert automatic_rollback(shelf.index, shelf.config, shelf.made().digest, "error rate", "why") is None


def test_a_version_is_named_by_its_number_or_its_digest(shelf: Shelf) -> None:
    row = shelf.made()
    judged(shelf, row)
    shadowed(shelf, row)

    with pytest.raises(ConfigFault, match=r"there are: 1.2.3\+learned.1"):
        promote(shelf.index, shelf.config, MODEL, "learned.7", ASKED)
    assert promote(shelf.index, shelf.config, MODEL, row.digest[:8], ASKED).version == row.version


def test_check_says_what_is_in_use_and_what_is_wrong_with_it(shelf: Shelf) -> None:
    row = promote(shelf.index, shelf.config, MODEL, ready(shelf, verdict=Verdict.UNDERPOWERED), RESEARCH)

    (research,) = versions(shelf.config, shelf.index)
    (shelf.base.folder / "configs" / "metadata.json").write_text('{"version": "2.0.0"}')
    (replaced,) = versions(shelf.config, shelf.index)
    (shelf.config.node.state / row.folder / "dicom.toml").unlink()
    (changed,) = versions(shelf.config, shelf.index)

    assert "RESEARCH" in str(research)
    assert "was replaced" in str(replaced)
    assert "cannot be read" in str(changed) or "were changed" in str(changed)
