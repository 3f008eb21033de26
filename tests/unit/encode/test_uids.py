"""UIDs follow from the run and the role, and from nothing else."""

import pytest
from pydicom.uid import UID

from dicomnode.encode.uids import derived_uid, result_series_uid, result_uid
from dicomnode.values import Role


def test_a_result_has_the_same_uid_however_often_it_is_encoded() -> None:
    assert result_uid("run 1", Role.SEG) == result_uid("run 1", Role.SEG)


def test_runs_roles_and_series_have_uids_of_their_own() -> None:
    uids = {result_uid(run, role) for run in ("run 1", "run 2") for role in Role}
    uids |= {result_series_uid(run, role) for run in ("run 1", "run 2") for role in Role}

    assert len(uids) == 2 * 2 * len(Role)
    assert all(UID(uid).is_valid and uid.startswith("2.25.") for uid in uids)


def test_parts_are_not_confused_by_where_they_are_cut() -> None:
    assert derived_uid("ab", "c") != derived_uid("a", "bc")


def test_a_root_of_the_site_is_used() -> None:
    assert result_uid("run 1", Role.SR, "1.2.3").startswith("1.2.3.")


def test_a_root_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        result_uid("run 1", Role.SR, "1.2.826.0.1.3680043.10.12345")
