"""An object's bytes are those that pydicom would write, whichever way they were put together."""

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmwrite

from tests.phantoms.answers import given


@pytest.mark.parametrize(("source", "answer"), [("oblique MR", "segmentation"), ("DX", "classification")])
def test_every_object_is_written_as_pydicom_writes_it(source: str, answer: str, tmp_path: Path) -> None:
    for one in given(source, answer, tmp_path).made:
        buffer = BytesIO()
        dcmwrite(buffer, one.dataset, enforce_file_format=True)

        assert one.content == buffer.getvalue(), one.role
