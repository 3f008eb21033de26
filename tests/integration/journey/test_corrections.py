"""A reader's report that comes in is recognised as a correction of ours, or kept for a person."""

import copy
import json
from pathlib import Path

import pytest
from highdicom.sr import CodedConcept
from pydicom import Dataset
from typer.testing import CliRunner

from dicomnode.cli.app import app
from dicomnode.encode.door.items import children, groups, tree
from dicomnode.errors import ConfigFault
from dicomnode.index.schema import ReaderFindingRow, ReaderReportRow, RunRow, StudyRow
from dicomnode.learn.harvest.corrections import link, read_reader_reports
from tests.phantom import ct_series, uid
from tests.site_made import Site, site_made


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A node that has made SEG and SR of one study."""
    made = site_made(tmp_path)
    made.receive(ct_series())
    made.decide()
    made.work()
    return made


def our_report(site: Site) -> Dataset:
    return site.results(site.rows(RunRow)[0].run_key)["SR"]


def saved(ours: Dataset, *, tracking: str = "", replaces: bool = False, moved_px: float = 0.0) -> Dataset:
    """Our report as a viewer saves it for a reader: a person's, under new UIDs, perhaps edited."""
    report = copy.deepcopy(ours)
    report.SOPInstanceUID = report.file_meta.MediaStorageSOPInstanceUID = uid("saved")
    report.SeriesInstanceUID = uid("series of saved")
    del report.ContributingEquipmentSequence
    observer = children(report, "121005/DCM")[0]
    observer.ConceptCodeSequence = [CodedConcept("121006", "DCM", "Person")]
    for group in groups(report):
        for item in children(group, "112040/DCM") if tracking else ():
            item.UID = uid(tracking)
    for _, item in tree(report):
        if item.get("ValueType") == "SCOORD":
            item.GraphicData = [value + moved_px for value in item.GraphicData]
    if replaces:
        report.PredecessorDocumentsSequence = [reference(ours)]
    return report


def reference(ours: Dataset) -> Dataset:
    study, series, item = Dataset(), Dataset(), Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ours.SOPClassUID, ours.SOPInstanceUID
    series.SeriesInstanceUID, series.ReferencedSOPSequence = ours.SeriesInstanceUID, [item]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = ours.StudyInstanceUID, [series]
    return study


def taken(site: Site, report: Dataset) -> list[ReaderFindingRow]:
    site.receive([report])
    read_reader_reports(site.index, site.config.node.state)
    return site.rows(ReaderFindingRow)


def test_an_edited_contour_is_a_correction_of_the_finding_with_its_tracking_uid(site: Site) -> None:
    ours = our_report(site)

    rows = taken(site, saved(ours, moved_px=0.5))

    assert {row.how for row in rows} == {"tracking"}
    assert {row.our_report_uid for row in rows} == {ours.SOPInstanceUID}
    assert any(row.changed for row in rows)


def test_a_contour_that_was_only_passed_on_is_no_change(site: Site) -> None:
    assert not any(row.changed for row in taken(site, saved(our_report(site))))


def test_a_new_tracking_uid_is_understood_by_image_code_and_predecessor(site: Site) -> None:
    rows = taken(site, saved(our_report(site), tracking="new", replaces=True))

    drawn = [row for row in rows if row.our_tracking_uid]
    assert drawn
    assert {row.how for row in drawn} == {"image, code and predecessor"}


def test_a_new_tracking_uid_without_predecessor_waits_for_a_person_who_links_it(site: Site) -> None:
    rows = taken(site, saved(our_report(site), tracking="new"))
    assert {row.our_tracking_uid for row in rows} == {None}
    tracking_uid = next(str(item.UID) for _, item in tree(our_report(site)) if item.get("ValueType") == "UIDREF"
                        and item.ConceptNameCodeSequence[0].CodeValue == "112040")  # fmt: skip

    config = str(site.config.node.state.parent / "config.toml")
    said = CliRunner().invoke(app, ["--config", config, "status"], catch_exceptions=False).output
    assert "match none of ours" in " ".join(said.split())
    words = ["--config", config, "labels", "link", str(rows[0].finding_key), tracking_uid]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0

    words = ["--config", config, "labels", "list", "--findings", "--json"]
    listed = CliRunner().invoke(app, words, catch_exceptions=False).output
    linked = next(one for one in json.loads(listed) if one["number"] == rows[0].finding_key)
    assert (linked["how"], linked["our_tracking_uid"]) == ("person", tracking_uid)


def test_a_finding_of_another_study_is_not_linked(site: Site) -> None:
    rows = taken(site, saved(our_report(site), tracking="new"))

    with site.index.transaction() as session, pytest.raises(ConfigFault, match="no finding of ours"):
        link(session, site.config.node.state, rows[0].finding_key, uid("nobody's"), "a test")


def test_a_report_of_a_device_is_no_readers(site: Site) -> None:
    report = saved(our_report(site))
    children(report, "121005/DCM")[0].ConceptCodeSequence = [CodedConcept("121007", "DCM", "Device")]

    assert taken(site, report) == []
    assert [row.reason for row in site.rows(ReaderReportRow)] == ["its observer is no person"]


def test_a_report_is_read_once_and_starts_no_new_run(site: Site) -> None:
    taken(site, saved(our_report(site)))
    before = len(site.rows(ReaderFindingRow))

    read_reader_reports(site.index, site.config.node.state)
    site.decide()

    assert len(site.rows(ReaderFindingRow)) == before
    assert len(site.rows(RunRow)) == 1
    assert [row.state for row in site.rows(StudyRow)] == ["decided"]
