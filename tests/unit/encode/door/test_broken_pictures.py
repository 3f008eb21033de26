"""Each thing that can be wrong with the picture or the PDF is caught."""

import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from dicomnode.encode.door import require_valid
from dicomnode.values import Role
from tests.phantoms.answers import given
from tests.unit.encode.door.changes import Change, faults
from tests.unit.encode.examples import Example


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Example:
    made = given("axial CT", "segmentation", tmp_path_factory.mktemp("drawn"), objects=(Role.SC, Role.PDF))
    return Example(made.run, made.series, None, None, made.made, made.rules)  # type: ignore[arg-type]


def test_picture_and_pdf_pass(drawn: Example) -> None:
    require_valid(drawn.made, drawn.run, drawn.series, drawn.rules)


def cut(document: Dataset) -> None:
    document.EncapsulatedDocument = document.EncapsulatedDocument[:-40]
    document.EncapsulatedDocumentLength = len(document.EncapsulatedDocument)


def act(document: Dataset) -> None:
    document.EncapsulatedDocument = document.EncapsulatedDocument.replace(b"/Catalog", b"/Catalog /JavaScript", 1)


def other_source(dataset: Dataset) -> None:
    dataset.SourceImageSequence[0].ReferencedSOPInstanceUID = "1.2.3"


PICTURE_FAULTS: dict[str, Change] = {
    "grey": (lambda d: setattr(d, "PhotometricInterpretation", "MONOCHROME2"), "not RGB"),
    "pixels of another form": (
        lambda d: setattr(d.file_meta, "TransferSyntaxUID", ExplicitVRLittleEndian),
        "is not RLE encoded",
    ),
    "no conversion type": (lambda d: delattr(d, "ConversionType"), "ConversionType is missing"),
    "no pixels": (lambda d: delattr(d, "PixelData"), "PixelData is missing"),
    "verified by its description": (lambda d: setattr(d, "SeriesDescription", "Result"), "not say that the result"),
    "a source from elsewhere": (other_source, "1.2.3, which is not in the study"),
}
PDF_FAULTS: dict[str, Change] = {
    "no PDF": (lambda d: setattr(d, "EncapsulatedDocument", b"GIF89a"), "no whole PDF"),
    "cut short": (cut, "no whole PDF"),
    "that can act": (act, "can act"),
    "of another type": (lambda d: setattr(d, "MIMETypeOfEncapsulatedDocument", "text/html"), "not application/pdf"),
    "a wrong length": (lambda d: setattr(d, "EncapsulatedDocumentLength", 7), "Length is 7"),
    "identity denied": (lambda d: setattr(d, "BurnedInAnnotation", "NO"), "Burned In Annotation is not YES"),
}


@pytest.mark.parametrize("name", PICTURE_FAULTS)
def test_a_broken_picture_is_caught(drawn: Example, name: str) -> None:
    change, said = PICTURE_FAULTS[name]

    assert said in faults(drawn, Role.SC, change)


@pytest.mark.parametrize("name", PDF_FAULTS)
def test_a_broken_pdf_is_caught(drawn: Example, name: str) -> None:
    change, said = PDF_FAULTS[name]

    assert said in faults(drawn, Role.PDF, change)
