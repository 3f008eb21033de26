"""The report as an Encapsulated PDF."""

from pydicom import Dataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from dicomnode.encode.pictures.page import report_pdf
from dicomnode.encode.pictures.plain import drawn_at_the_node, source_images
from dicomnode.encode.told import Told
from dicomnode.values import Role

EVEN = 2


def pdf_report(told: Told) -> Dataset:
    """The report as a document of the study; it names the patient, and says that it does.

    Source: PS3.3 A.45.1, C.24.1, C.24.2.
    """
    document = drawn_at_the_node(told, Role.PDF, EncapsulatedPDFStorage, ExplicitVRLittleEndian)
    document.Modality = "DOC"
    document.BurnedInAnnotation = "YES"
    document.AcquisitionDateTime = ""
    document.DocumentTitle = told.context.description
    document.ConceptNameCodeSequence = [told.content.title]
    document.VerificationFlag = "UNVERIFIED"
    document.SourceInstanceSequence = source_images(told)
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    content = report_pdf(told)
    document.EncapsulatedDocument = content + b"\0" * (len(content) % EVEN)
    document.EncapsulatedDocumentLength = len(content)
    return document
