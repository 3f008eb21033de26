"""What the model's process finds reaches the report measured: lesions of a detector, and values inside a mask."""

from pathlib import Path

import pytest

from dicomnode.bundles.approval import approve
from dicomnode.config.load import load
from dicomnode.config.tables import ModelSetting
from dicomnode.encode.door.items import children, groups, tracking_of
from dicomnode.infer.protocol import Ask, prediction_message, prediction_of
from dicomnode.serve.gpu import build
from dicomnode.stages import Device, Stages
from dicomnode.values import Header, ModelVersion, Prediction, Role, Volume
from tests.bundles_made import bundle_made, detection_toml, model_loaded
from tests.index_made import index_made
from tests.phantom import ct_series
from tests.site_made import CONFIG, MODEL, Site, site_made
from tests.threshold import LEVEL
from tests.unit.encode.examples import figures_of, texts


class Loaded:
    """Stands in for the model's process: the bundle itself, loaded here, its answer as it travels."""

    def predict(self, model: ModelVersion, volume: Volume, header: Header, setting: ModelSetting) -> Prediction:
        said = model_loaded(model).predict(Ask.of(volume, saliency=False, research=False))
        return prediction_of(prediction_message(said))


def detecting_site(folder: Path) -> Site:
    """A node whose model puts one box around the bright voxels of a CT."""
    (folder / "config.toml").write_text(CONFIG)
    config = load(folder / "config.toml")
    config.node.state.mkdir()
    index = index_made(config.index_url)
    bundle_made(folder / "models", MODEL, "Spots", arguments={"level": LEVEL - 1}, dicom=detection_toml(MODEL))
    approve(index, folder / "models" / MODEL, "a test")
    return Site(config, index, Stages(config, index, Device(build, Loaded())))


def test_a_detectors_box_reaches_the_report_on_its_slice(tmp_path: Path) -> None:
    site = detecting_site(tmp_path)
    images = ct_series(slices=5, rows=6, columns=8)  # 1000 k + 10 j + i: slices 2, 3 and 4 are bright
    site.receive(images)
    site.decide()

    (run,) = site.work()

    report = site.results(run.run_key)[Role.SR]
    (group,) = groups(report)
    (region,) = children(group, "111030/DCM")
    picture = region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert run.summary == {"finding 0": "1: 90 %"}
    assert tracking_of(group)[0] == "finding 0 1"
    assert list(region.GraphicData) == [0, 0, 8, 0, 8, 6, 0, 6, 0, 0]
    assert picture == images[3].SOPInstanceUID
    assert figures_of(report, "Probability") == [pytest.approx(0.9, abs=1e-4)]


def test_the_values_inside_a_mask_reach_the_report_with_their_unit(tmp_path: Path) -> None:
    site = site_made(tmp_path)
    site.receive(ct_series(slices=5, rows=6, columns=8))
    site.decide()

    (run,) = site.work()

    report = site.results(run.run_key)[Role.SR]
    # 1000 k + 10 j + i over slices 2 to 4, rows 0 to 5, columns 0 to 7: 3000 + 25 + 3.5
    values = figures_of(report, "Attenuation Coefficient")
    assert (values[0], min(values[2:]), max(values[2:])) == (3028.5, 2000.0, 4057.0)
    assert "Bright: mean 3028.5 HU." in texts(report)
