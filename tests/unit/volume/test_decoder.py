"""A decoder that dies or answers nonsense ends its own process, and the next image is decoded."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.pixels.utils import compress
from pydicom.uid import RLELossless

from dicomnode.volume.decode import Request
from dicomnode.volume.decoder import Decoder, DecoderFault
from tests.phantom import ct_series, enhanced, numbers, write


def compressed() -> Dataset:
    image = ct_series(slices=1, rows=40, columns=35)[0]
    compress(image, RLELossless, generate_instance_uid=False)
    return image


def request(image: Dataset, folder: Path) -> Request:
    (path,) = write([image], folder)
    return Request(str(path), frames=int(image.get("NumberOfFrames", 1)), samples=1, deflated=False)


def test_codestreams_that_kill_their_decoder_are_refused_and_the_next_image_is_decoded(tmp_path: Path) -> None:
    broken = compressed()
    codestream = bytearray(broken.PixelData)
    codestream[28] = 192  # offset of the second RLE segment: far beyond the end
    broken.PixelData = bytes(codestream)

    with Decoder() as decoder:
        with pytest.raises(DecoderFault):
            list(decoder.frames(request(broken, tmp_path / "broken"), compressed=True))
        (frame,) = decoder.frames(request(compressed(), tmp_path / "sound"), compressed=True)

    assert np.array_equal(frame, numbers(1, 40, 35)[0] + 1024)


def test_a_series_left_half_read_does_not_disturb_the_next(tmp_path: Path) -> None:
    several = enhanced(ct_series(slices=3, rows=40, columns=35))
    compress(several, RLELossless, generate_instance_uid=False)

    with Decoder() as decoder:
        frames = decoder.frames(request(several, tmp_path / "several"), compressed=True)
        assert next(frames)[0, 0] == 1024
        frames.close()  # type: ignore[attr-defined]
        (frame,) = decoder.frames(request(compressed(), tmp_path / "one"), compressed=True)

    assert frame[39, 34] == 1024 + 390 + 34


def test_a_file_that_cannot_be_read_is_a_fault_in_words(tmp_path: Path) -> None:
    (tmp_path / "empty.dcm").touch()

    with Decoder() as decoder, pytest.raises(DecoderFault, match="Error"):
        list(decoder.frames(Request(str(tmp_path / "empty.dcm"), 1, 1, deflated=False), compressed=True))


def test_uncompressed_images_start_no_process(tmp_path: Path) -> None:
    decoder = Decoder()

    (frame,) = decoder.frames(request(ct_series(slices=1)[0], tmp_path), compressed=False)

    assert frame[2, 3] == 1024 + 23
    assert decoder.pid is None


def test_a_process_that_was_killed_between_two_series_is_started_again(tmp_path: Path) -> None:
    with Decoder() as decoder:
        list(decoder.frames(request(compressed(), tmp_path / "one"), compressed=True))
        killed = decoder.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        os.waitid(os.P_PID, killed, os.WEXITED | os.WNOWAIT)
        (frame,) = decoder.frames(request(compressed(), tmp_path / "two"), compressed=True)

    assert frame[39, 34] == 1024 + 390 + 34
