"""A report under the class that more destinations know."""

from io import BytesIO

from pydicom import dcmread

from dicomnode.deliver.fallback import can_fall_back, fallback_of, fallback_uid
from tests.results_made import mask, outbox_object, report


def test_the_uid_of_a_fallback_follows_from_the_original_and_keeps_its_root() -> None:
    original = "1.2.840.99999.7.329800735698586629295641978511506172918"

    assert fallback_uid(original) == fallback_uid(original) != original
    assert fallback_uid(original).startswith("1.2.840.99999.7.")


def test_a_root_that_leaves_no_room_is_given_up_for_2_25() -> None:
    crowded = "1." + "23456789." * 6 + "1"

    assert fallback_uid(crowded).startswith("2.25.")
    assert len(fallback_uid(crowded)) <= 64


def test_only_a_3d_report_without_3d_coordinates_can_fall_back() -> None:
    assert can_fall_back(outbox_object(report(value_types=("TEXT", "SCOORD"))).content)
    assert not can_fall_back(outbox_object(report(value_types=("TEXT", "SCOORD3D"))).content)
    assert not can_fall_back(outbox_object(mask()).content)


def test_a_fallback_is_the_same_bytes_each_time() -> None:
    content = outbox_object(report()).content

    assert fallback_of(content, lambda _: False) == fallback_of(content, lambda _: False)


def test_a_predecessor_that_never_fell_back_keeps_its_name() -> None:
    original = report("SR 2", predecessor="SR 1")
    copy = dcmread(BytesIO(fallback_of(outbox_object(original).content, lambda _: False).content))

    assert copy.PredecessorDocumentsSequence == original.PredecessorDocumentsSequence
