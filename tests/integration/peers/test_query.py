"""C-FIND and C-MOVE against small peers: what is asked, what the answers mean."""

from datetime import date

import pytest
from pydicom.dataset import Dataset

from dicomnode.errors import PeerRefused
from dicomnode.peers.faults import BusyPeer, Failed, NotAccepted
from dicomnode.peers.move import move_study
from dicomnode.peers.query import instances_of, series_counts, series_of, studies_since
from tests.peers_made import Pacs, peer
from tests.phantom import uid

STUDY, OTHER = uid("study 1"), uid("study 2")


def answer(level: str, **values: object) -> Dataset:
    made = Dataset()
    made.QueryRetrieveLevel = level
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def series(name: str, count: object) -> Dataset:
    return answer(
        "SERIES",
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=uid(name),
        Modality="MR",
        NumberOfSeriesRelatedInstances=count,
    )


def test_counts_are_given_by_series() -> None:
    with peer(Pacs(found=[series("a", 3), series("b", 120)])) as remote:
        assert series_counts(remote, STUDY) == {uid("a"): 3, uid("b"): 120}
        assert series_counts(remote, OTHER) == {}


def test_a_peer_that_leaves_the_count_out_of_one_series_gives_no_counts() -> None:
    without = series("b", 1)
    del without.NumberOfSeriesRelatedInstances
    for second in (without, series("b", None)):
        with peer(Pacs(found=[series("a", 3), second])) as remote:
            assert series_counts(remote, STUDY) is None


def test_a_query_asks_at_series_level_for_one_study_and_for_unicode() -> None:
    pacs = Pacs(found=[series("a", 3)])
    with peer(pacs) as remote:
        series_of(remote, STUDY)

    (query,) = pacs.queries
    assert (query.QueryRetrieveLevel, query.StudyInstanceUID, query.SpecificCharacterSet) == (
        "SERIES",
        STUDY,
        "ISO_IR 192",
    )
    assert (0x0020, 0x1209) in query


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("ISO_IR 192", "頭部 海馬"),
        ("ISO_IR 144", "Голова"),
        ("ISO_IR 100", "Schädel"),
        (["", "ISO 2022 IR 87"], "頭部"),
        (["", "ISO 2022 IR 149"], "두부"),
        ("GB18030", "头部"),
    ],
)
def test_descriptions_are_read_in_the_answers_own_character_set(charset: str, text: str) -> None:
    found = Dataset()
    found.SpecificCharacterSet = charset
    found.update(series("a", 1))
    found.SeriesDescription = text
    with peer(Pacs(found=[found])) as remote:
        (only,) = series_of(remote, STUDY)

    assert only.header.values == {
        "Modality": "MR",
        "SeriesDescription": text,
        "NumberOfSeriesRelatedInstances": "1",
    }


def test_studies_are_asked_for_day_by_day_and_told_once() -> None:
    studies = [
        answer("STUDY", StudyInstanceUID=STUDY, StudyDate="20260304", ModalitiesInStudy=["MR", "SR"]),
        answer("STUDY", StudyInstanceUID=OTHER, StudyDate="20260306"),
        answer("STUDY", StudyInstanceUID=uid("old"), StudyDate="20260303"),
    ]
    pacs = Pacs(found=studies)
    with peer(pacs) as remote:
        found = studies_since(remote, date(2026, 3, 4), date(2026, 3, 6))

    assert [study.study_uid for study in found] == [STUDY, OTHER]
    assert found[0].header.parts("ModalitiesInStudy") == ("MR", "SR")
    assert [query.StudyDate for query in pacs.queries] == ["20260304", "20260305", "20260306"]


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    with peer(Pacs()) as remote, pytest.raises(ValueError, match="no span"):
        studies_since(remote, date(2026, 3, 5), date(2026, 3, 4))


def test_the_instances_of_a_series_are_given_by_uid() -> None:
    image = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": uid("a")}
    found = [answer("IMAGE", SOPInstanceUID=uid(name), **image) for name in ("i1", "i2")]
    with peer(Pacs(found=found)) as remote:
        assert instances_of(remote, STUDY, uid("a")) == {uid("i1"), uid("i2")}


@pytest.mark.parametrize(("status", "fault"), [(0xA700, BusyPeer), (0xA900, Failed), (0xC001, Failed)])
def test_a_failed_query_is_never_taken_for_an_empty_one(status: int, fault: type[Exception]) -> None:
    with peer(Pacs(find_status=status)) as remote, pytest.raises(fault, match=f"{status:04X}"):
        series_counts(remote, STUDY)


def test_a_peer_that_moves_nothing_is_refused_by_service() -> None:
    with peer(Pacs()) as remote, pytest.raises(NotAccepted, match="MOVE") as caught:
        move_study(remote, STUDY)

    assert isinstance(caught.value, PeerRefused)
