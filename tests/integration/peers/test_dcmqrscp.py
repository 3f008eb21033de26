"""An archive that tells no counts."""

from pathlib import Path

import pytest

from dicomnode.peers.query import instances_of, series_counts, series_of
from tests.dcmtk import dcmqrscp
from tests.integration.choose.test_catch_up import send_to, uids
from tests.peers_made import remote_at
from tests.phantom import mr_series


@pytest.mark.peers("dcmqrscp", "cc")
def test_dcmqrscp_tells_instances_and_no_counts(tmp_path: Path) -> None:
    images = mr_series(slices=3)
    study_uid, series_uid = str(images[0].StudyInstanceUID), str(images[0].SeriesInstanceUID)
    with dcmqrscp(tmp_path) as port:
        send_to(port, "DCMQRSCP", images)
        archive = remote_at(port, ae_title="DCMQRSCP")

        assert series_counts(archive, study_uid) is None
        assert [series.series_uid for series in series_of(archive, study_uid)] == [series_uid]
        assert instances_of(archive, study_uid, series_uid) == uids(images)
