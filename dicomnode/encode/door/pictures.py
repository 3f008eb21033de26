"""Whether the picture and the PDF are what they say they are, and say truly whether they name the patient."""

from collections.abc import Iterator
from struct import unpack

from pydicom import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import RLELossless
from rle.rle import decode_segment

from dicomnode.encode.door.expected import Expected
from dicomnode.values import Role

PLANES = 3
"""Segments of an RLE frame of 8-bit colour (PS3.5 G.2)."""
RGB = {"PhotometricInterpretation": "RGB", "SamplesPerPixel": PLANES, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7,
       "PixelRepresentation": 0}  # fmt: skip
"""PS3.3 C.7.6.3.1.2."""
PDF_STARTS, PDF_ENDS = b"%PDF-", b"%%EOF"


def picture_faults(expected: Expected) -> Iterator[str]:
    """A picture that is no RGB of one frame, a PDF that is none or that can act, and a wrong Burned In Annotation."""
    capture, document = expected.of(Role.SC), expected.of(Role.PDF)
    if capture is not None:
        yield from (f"SC: {fault}" for fault in (*_pixel_faults(capture), *_identity_faults(capture, expected)))
    if document is not None:
        yield from (f"PDF: {fault}" for fault in _pdf_faults(document))


def _pixel_faults(capture: Dataset) -> Iterator[str]:
    colour = [capture.get(keyword) for keyword in RGB]
    if colour != list(RGB.values()):
        yield f"{colour} is not RGB of 8 bits"
    if capture.file_meta.TransferSyntaxUID != RLELossless:
        yield f"is not RLE encoded, but {capture.file_meta.TransferSyntaxUID.name}"
        return
    pixels, wanted = capture.get("PixelData"), int(capture.get("Rows") or 0) * int(capture.get("Columns") or 0)
    frames = list(generate_frames(pixels, number_of_frames=1)) if pixels else []
    if [_plane_sizes(frame) for frame in frames] != [[wanted] * PLANES]:
        yield f"its pixel data is not one RLE frame of three times {wanted} values (PS3.5 G.2)"


def _plane_sizes(frame: bytes) -> list[int]:
    """Values in each segment of an RLE frame; none where it cannot be undone."""
    count, *offsets = unpack("<16L", frame[:64].ljust(64, b"\0"))
    ends = [*offsets[1:count], len(frame)]
    try:
        return [len(decode_segment(frame[start:end])) for start, end in zip(offsets[:count], ends, strict=True)]
    except ValueError:
        return []


def _identity_faults(capture: Dataset, expected: Expected) -> Iterator[str]:
    """A source that names the patient in its pixels may not be passed on as one that does not (PS3.3 C.7.6.1)."""
    burnt_in = str(expected.source.get("BurnedInAnnotation") or "").upper()
    if burnt_in == "YES" and capture.get("BurnedInAnnotation") == "NO" and capture.get("SourceImageSequence"):
        yield "Burned In Annotation is NO, and the source's is YES"
    if "not verified" not in str(capture.get("SeriesDescription", "")):
        yield "Series Description does not say that the result is not verified"


def _pdf_faults(document: Dataset) -> Iterator[str]:
    if not document.get("SourceInstanceSequence"):
        yield "names no image that it was made from (Source Instance Sequence)"
    content = bytes(document.get("EncapsulatedDocument") or b"")
    length = int(document.get("EncapsulatedDocumentLength") or 0)
    if document.get("MIMETypeOfEncapsulatedDocument") != "application/pdf":
        yield f"is {document.get('MIMETypeOfEncapsulatedDocument')}, not application/pdf"
    if not content.startswith(PDF_STARTS) or not content[:length].rstrip().endswith(PDF_ENDS):
        yield "its content is no whole PDF"
    if len(content) != length + length % 2:
        yield f"Encapsulated Document Length is {length}, and there are {len(content)} bytes (PS3.3 C.24.2)"
    if any(name in content for name in (b"/JavaScript", b"/Launch", b"/EmbeddedFile")):
        yield "its content can act: it holds a script, a launch action or a file"
    if document.get("BurnedInAnnotation") != "YES":
        yield "names the patient, and Burned In Annotation is not YES"
