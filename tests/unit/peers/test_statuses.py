"""What a DIMSE status means to us (PS3.4 Table B.2-1, PS3.7 Annex C)."""

import pytest
from pydicom.dataset import Dataset

from dicomnode.config.tables import Peer
from dicomnode.errors import Permanent, Transient
from dicomnode.peers.faults import Aborted
from dicomnode.peers.remote import Remote
from dicomnode.peers.statuses import answered, failure, is_busy, is_warning, words

PACS = Remote("pacs", Peer(ae_title="PACS", host="pacs.example", port=104), "DICOMNODE")


def answer(status: int, comment: str = "") -> Dataset:
    made = Dataset()
    made.Status = status
    if comment:
        made.ErrorComment = comment
    return made


@pytest.mark.parametrize("status", [0xA700, 0xA7FF, 0x0110, 0x0213])
def test_a_lack_of_resources_passes(status: int) -> None:
    assert is_busy(status)
    assert isinstance(failure(answer(status), PACS, "C-STORE"), Transient)


@pytest.mark.parametrize("status", [0xA6FF, 0xA800, 0xA801, 0xA900, 0xC000, 0xCFFF, 0x0112, 0x0122, 0x0124, 0xFE00])
def test_any_other_failure_repeats(status: int) -> None:
    assert not is_busy(status)
    assert isinstance(failure(answer(status), PACS, "C-STORE"), Permanent)


def test_warnings_are_bxxx_and_those_of_the_general_list() -> None:
    assert all(is_warning(status) for status in (0xB000, 0xB007, 0xBFFF, 0x0001, 0x0107, 0x0116))
    assert not any(is_warning(status) for status in (0x0000, 0x0111, 0xAFFF, 0xC000))


def test_a_failure_names_peer_request_and_status_and_keeps_the_comment_apart() -> None:
    fault = failure(answer(0xC123, "Doe^John unknown"), PACS, "C-STORE")

    assert str(fault) == "pacs (PACS at pacs.example:104) refuses C-STORE: it cannot understand the data set (C123)"
    assert vars(fault)["comment"] == "Doe^John unknown"


def test_an_answer_without_status_is_a_lost_association() -> None:
    assert answered(answer(0xB000), PACS, "C-FIND") == 0xB000
    with pytest.raises(Aborted, match="during C-FIND"):
        answered(Dataset(), PACS, "C-FIND")


def test_a_status_that_nobody_defined_is_said_to_be_unknown() -> None:
    assert words(0xD000) == "an unknown status"
