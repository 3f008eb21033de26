"""A model's process: warm, killed when it hangs, replaced when it dies, gone when the node is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dicomnode.config.tables import Infer, ModelSetting
from dicomnode.errors import DeviceBusy, ModelFault
from dicomnode.infer.faults import ATTEMPTS, KilledItsWorker, TimedOut, WorkerLost
from dicomnode.infer.predict import NOT_RUN, Predictor
from dicomnode.values import Classification, Detection, Header, Lesion, ModelVersion, Prediction, Segmentation, Volume
from tests.bundles_made import TRIGGER, bundle_made, classification_toml, detection_toml

Ask = Callable[..., Prediction]


def volume(*, bad: bool = False, series_uid: str = "1.2.3") -> Volume:
    voxels = np.zeros((4, 5, 6), np.float32)
    voxels[1, 2, 3] = TRIGGER * 2 if bad else 1.0
    return Volume(voxels, np.eye(4), (), series_uid, None, True)


@pytest.fixture
def predictor() -> Iterator[Predictor]:
    with Predictor(Infer(threads=1)) as predictor:
        yield predictor


@pytest.fixture
def ask(predictor: Predictor) -> Ask:
    def asked(model: ModelVersion, of: Volume, **setting: float) -> Prediction:
        return predictor.predict(model, of, Header({}), ModelSetting.model_validate(setting))

    return asked


def pid_of(predictor: Predictor, name: str) -> int:
    pid = predictor._loaded[name].worker.pid
    assert pid is not None
    return pid


def marked(prediction: Prediction) -> list[list[int]]:
    assert isinstance(prediction.answer, Segmentation)
    return np.argwhere(prediction.answer.labels).tolist()


def detected(prediction: Prediction) -> tuple[Lesion, ...]:
    assert isinstance(prediction.answer, Detection)
    return prediction.answer.lesions


def test_one_warm_process_answers_again_and_again_and_sees_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, predictor: Predictor, ask: Ask
) -> None:
    monkeypatch.setenv("DICOMNODE_INDEX_PASSWORD", "hush")
    model = bundle_made(tmp_path, "plain", "Threshold")

    answers = [ask(model, volume())]
    pid = pid_of(predictor, "plain")
    began_s = time.monotonic()
    answers += [ask(model, volume()) for _ in range(5)]

    assert [marked(answer) for answer in answers] == [[[1, 2, 3]]] * 6
    assert pid_of(predictor, "plain") == pid
    assert pid != os.getpid()
    assert b"hush" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert time.monotonic() - began_s < 5  # loading alone takes longer than this many answers


def test_boxes_come_back_from_a_models_process(tmp_path: Path, ask: Ask) -> None:
    model = bundle_made(tmp_path, "spots", "Spots", dicom=detection_toml("spots"))

    (lesion,) = detected(ask(model, volume()))

    assert (lesion.index, lesion.probability) == (0, pytest.approx(0.9))
    assert np.array(lesion.box) == pytest.approx(np.array([(1, 2), (2, 3), (3, 4)]))


def test_models_load_side_by_side(tmp_path: Path, predictor: Predictor, ask: Ask) -> None:
    models = [bundle_made(tmp_path / name, name, "Threshold") for name in ("one", "two")]

    for model in models:
        predictor.start(model, ModelSetting())

    assert pid_of(predictor, "one") != pid_of(predictor, "two")
    assert [marked(ask(model, volume())) for model in models] == [[[1, 2, 3]]] * 2


def test_what_a_models_process_keeps_on_disk_goes_with_it(tmp_path: Path) -> None:
    model = bundle_made(tmp_path, "plain", "Threshold")

    with Predictor(Infer(threads=1)) as predictor:
        predictor.warm(model, ModelSetting())
        environment = Path(f"/proc/{pid_of(predictor, 'plain')}/environ").read_text().split("\0")
        (scratch,) = (Path(line.removeprefix("TMPDIR=")) for line in environment if line.startswith("TMPDIR="))
        (scratch / "file").touch()

    assert not scratch.exists()


def test_a_hung_process_is_killed_and_replaced(tmp_path: Path, predictor: Predictor, ask: Ask) -> None:
    model = bundle_made(tmp_path, "sleepy", "Sleeps")
    ask(model, volume())
    hung = pid_of(predictor, "sleepy")

    with pytest.raises(TimedOut, match=r"sleepy timed out after 0\.5 s and was killed") as caught:
        ask(model, volume(bad=True), timeout_s=0.5)

    assert isinstance(caught.value, DeviceBusy)
    assert not Path(f"/proc/{hung}").exists()
    assert marked(ask(model, volume())) == [[1, 2, 3]]
    assert pid_of(predictor, "sleepy") != hung


def test_an_input_that_kills_its_process_is_given_up_and_the_next_one_is_answered(tmp_path: Path, ask: Ask) -> None:
    model = bundle_made(tmp_path, "frail", "Dies")

    for _ in range(ATTEMPTS - 1):
        with pytest.raises(WorkerLost, match="was killed by SIGSEGV"):
            ask(model, volume(bad=True, series_uid="1.9"))
    assert marked(ask(model, volume(series_uid="1.8"))) == [[1, 2, 3]]
    with pytest.raises(KilledItsWorker, match=f"ended the process of model frail {ATTEMPTS} times") as caught:
        ask(model, volume(bad=True, series_uid="1.9"))

    assert isinstance(caught.value, ModelFault)
    assert marked(ask(model, volume())) == [[1, 2, 3]]


def test_a_process_that_the_kernel_killed_for_memory_is_told_apart_from_one_that_hung(tmp_path: Path, ask: Ask) -> None:
    model = bundle_made(tmp_path, "greedy", "EndsInOom")

    for _ in range(ATTEMPTS - 1):
        with pytest.raises(WorkerLost, match="was killed by SIGKILL"):
            ask(model, volume(bad=True))
    with pytest.raises(KilledItsWorker) as caught:
        ask(model, volume(bad=True))

    assert str(caught.value) == (
        "this study ended the process of model greedy 3 times; the last time it was killed by SIGKILL "
        "(mostly: the machine ran out of memory, `journalctl -k` tells)"
    )
    assert "timed out" not in str(caught.value)


def test_what_the_bundle_raises_is_named_and_what_it_prints_stays_out(tmp_path: Path, predictor, ask: Ask) -> None:
    model = bundle_made(tmp_path, "loud", "Raises")
    assert marked(ask(model, volume())) == [[1, 2, 3]]
    pid = pid_of(predictor, "loud")

    with pytest.raises(ModelFault, match=r"the bundle's code raised ValueError: no such thing"):
        ask(model, volume(bad=True))

    assert marked(ask(model, volume())) == [[1, 2, 3]]
    assert pid_of(predictor, "loud") == pid


def test_a_bundle_that_was_changed_after_its_approval_does_not_run(tmp_path: Path, ask: Ask) -> None:
    model = bundle_made(tmp_path, "changed", "Threshold")
    (model.folder / "scripts" / "networks.py").write_text("raise SystemExit('ran')")

    with pytest.raises(ModelFault, match="dicomnode models approve changed"):
        ask(model, volume())


def test_a_bundle_that_cannot_be_loaded_is_named(tmp_path: Path, ask: Ask) -> None:
    model = bundle_made(tmp_path, "misfit", "Mean", arguments={"dims": 3}, dicom=classification_toml("misfit"))

    with pytest.raises(ModelFault, match="weights of bundle misfit do not fit its network"):
        ask(model, volume())


def test_outside_the_evaluated_domain_nothing_is_said(tmp_path: Path, predictor: Predictor) -> None:
    toml = classification_toml("young", more="[domain]\nmax_age_years = 5")
    model = bundle_made(tmp_path, "young", "Columns", arguments={"logits": [2.0]}, dicom=toml)
    image = Volume(np.zeros((1, 4, 4), np.float32), np.eye(4), (), "1.2", None, False)
    adult, child = Header({"PatientAge": "040Y"}), Header({"PatientAge": "003Y"})
    research = ModelSetting(research_outside_domain=True)

    withheld = predictor.predict(model, image, adult, ModelSetting())
    shown = predictor.predict(model, image, adult, research)
    inside = predictor.predict(model, image, child, research)

    reasons = ("the patient's age is 40 years; evaluated on up to 5 years",)
    assert isinstance(withheld.answer, Classification)
    (score,) = withheld.answer.scores
    assert (score.probability, score.uncertainty, score.positive, withheld.answer.saliency) == (None, None, None, None)
    assert (withheld.domain.inside, withheld.domain.overridden, withheld.domain.reasons) == (False, False, reasons)
    assert withheld.device == NOT_RUN
    assert isinstance(shown.answer, Classification)
    assert shown.answer.scores[0].probability == pytest.approx(0.8808, abs=1e-4)
    assert (shown.domain.inside, shown.domain.overridden, shown.domain.reasons) == (False, True, reasons)
    assert (inside.domain.inside, inside.domain.overridden) == (True, False)


def test_the_process_dies_with_the_node(tmp_path: Path) -> None:
    model = bundle_made(tmp_path, "plain", "Threshold")
    node = subprocess.Popen(
        [sys.executable, "-c", NODE, str(model.folder), model.digest],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert node.stderr is not None
    with node.stderr:
        said = node.stderr.readline()
        node.send_signal(signal.SIGKILL)
        node.wait()
    child = int(said)
    deadline_s = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline_s:
        time.sleep(0.05)

    assert not Path(f"/proc/{child}").exists()


NODE = """
import sys, threading, time
from pathlib import Path
from dicomnode.config.tables import Infer, ModelSetting
from dicomnode.infer.predict import Predictor
from dicomnode.values import ModelVersion
predictor = Predictor(Infer(threads=1))
model = ModelVersion("plain", "1", sys.argv[2], "2.25.1", Path(sys.argv[1]))
starter = threading.Thread(target=predictor.warm, args=(model, ModelSetting()))
starter.start()
starter.join()  # the thread that asked first ends; the process must outlive it
time.sleep(0.2)
predictor.warm(model, ModelSetting())
print(predictor._loaded["plain"].worker.pid, file=sys.stderr, flush=True)
time.sleep(60)
"""


def test_importing_the_predictor_does_not_import_torch() -> None:
    code = "import sys, dicomnode.infer.predict; sys.exit('torch' in sys.modules or 'monai' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
