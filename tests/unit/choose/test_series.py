"""The series that a model takes, and the reason for each."""

import dataclasses

import pytest
from pydicom import Dataset

from dicomnode.choose.series import choose_series
from dicomnode.values import Choice
from tests.phantom import CT, ct_series, dx_image, enhanced, mr_series, study_of, uid
from tests.unit.choose.model_rules import rules


def chosen(images: list[Dataset], **series: object) -> Choice:
    return choose_series(study_of(images), rules(**series))


def only_reason(choice: Choice) -> str:
    (verdict,) = choice.verdicts
    assert not verdict.taken
    assert choice.series is None
    (reason,) = verdict.reasons
    return reason


def taken_name(choice: Choice) -> str:
    """Description of the series taken."""
    (verdict,) = [verdict for verdict in choice.verdicts if verdict.taken]
    assert choice.series is not None
    assert choice.series.series_uid == verdict.series_uid
    return verdict.description


def test_a_series_that_fits_alone_is_taken() -> None:
    choice = chosen(ct_series())

    assert choice.series is not None
    assert len(choice.series.instances) == 5
    assert choice.verdicts[0].reasons == ("fits every condition, and no other series does",)


def test_another_modality_is_not_taken() -> None:
    assert only_reason(chosen(mr_series())) == "modality MR, the model takes CT"


def test_a_report_is_no_image_even_if_it_says_ct() -> None:
    images = ct_series(slices=1)
    images[0].SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"

    assert only_reason(chosen(images)) == "a structured report or key object, no image"


@pytest.mark.parametrize("kind", ["11.1", "66.4", "66.1", "88.59", "88.34", "30", "481.3", "104.1"])
def test_presentation_states_segmentations_key_objects_and_other_results_are_never_candidates(kind: str) -> None:
    images = ct_series(slices=1)
    images[0].SOPClassUID = f"1.2.840.10008.5.1.4.1.1.{kind}"

    assert only_reason(chosen(images)).endswith(", no image")


def test_a_condition_that_fails_is_named() -> None:
    condition = {"tag": "BodyPartExamined", "equals": "HEAD"}

    assert only_reason(chosen(ct_series(), require=[condition])) == "needs BodyPartExamined = HEAD"


def test_a_condition_that_fails_for_some_images_says_for_how_many() -> None:
    images = ct_series(slices=4)
    images[1].KVP = 80
    condition = {"tag": "KVP", "min": 100}

    assert only_reason(chosen(images, require=[condition])) == "needs KVP ≥ 100 (1 of 4 images)"


def test_a_condition_that_excludes_is_named() -> None:
    condition = {"tag": "ConvolutionKernel", "regex": "^B30", "why": "a soft-tissue kernel"}

    assert only_reason(chosen(ct_series(), exclude=[condition])) == "excluded by a soft-tissue kernel"


@pytest.mark.parametrize(
    ("image_type", "kind"),
    [
        (["ORIGINAL", "PRIMARY", "LOCALIZER"], "localizer"),
        (["DERIVED", "PRIMARY", "AXIAL"], "derived"),
        (["ORIGINAL", "SECONDARY", "AXIAL"], "secondary"),
        (["ORIGINAL", "PRIMARY", "MIP"], "mip"),
        (["ORIGINAL", "PRIMARY", "PROJECTION IMAGE"], "mip"),
        (["ORIGINAL", "PRIMARY", "VOLUME", "MAX_IP"], "mip"),
        (["ORIGINAL", "PRIMARY", "M", "MIP_SAG"], "mip"),
    ],
)
def test_image_types_that_no_model_takes(image_type: list[str], kind: str) -> None:
    images = ct_series(slices=2)
    for image in images:
        image.ImageType = image_type

    assert only_reason(chosen(images)) == f"{kind} image, by ImageType {chr(92).join(image_type)}"
    assert taken_name(chosen(images, admit=[kind])) == "1 CT CT 1"


@pytest.mark.parametrize(
    ("description", "kind"),
    [("Survey 3-plane", "localizer"), ("Scout", "localizer"), ("t2_localizer", "localizer"), ("Lung MIP 10mm", "mip")],
)
def test_descriptions_that_give_away_what_image_type_hides(description: str, kind: str) -> None:
    assert only_reason(chosen(ct_series(name=description))) == f"{kind} image, by its description {description!r}"


@pytest.mark.parametrize("description", ["Chimp", "scouting report", "mipmap", "Axial skull"])
def test_words_that_only_resemble_exclude_nothing(description: str) -> None:
    images = ct_series(name=description)

    assert chosen(images).series is not None


def test_a_secondary_capture_is_secondary() -> None:
    images = ct_series(slices=1)
    images[0].SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"

    assert only_reason(chosen(images)) == "secondary image, by Secondary Capture"


def test_a_localizer_among_slices_is_named_with_its_number() -> None:
    images = ct_series(slices=5)
    images[0].ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    assert only_reason(chosen(images)).endswith(r"LOCALIZER (1 of 5 images)")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"min_slices": 6}, "5 slices, the model takes at least 6"),
        ({"max_slices": 4}, "5 slices, the model takes at most 4"),
        # 5 slices × 2 mm, 6 rows × 0.5 mm, 8 columns × 0.75 mm
        ({"max_extent_mm": (9, 80, 80)}, "10 mm from the first to the last slice, the model takes at most 9 mm"),
        ({"max_extent_mm": (80, 2, 80)}, "3 mm down the rows, the model takes at most 2 mm"),
        ({"max_extent_mm": (80, 80, 5)}, "6 mm across the columns, the model takes at most 5 mm"),
        ({"min_extent_mm": (1, 1, 50)}, "6 mm across the columns, the model takes at least 50 mm"),
        (
            {"max_spacing_mm": (1.5, 1, 1)},
            "2.00 mm between voxels from the first to the last slice, the model takes at most 1.5 mm",
        ),
    ],
)
@pytest.mark.parametrize("multi_frame", [False, True])
def test_a_limit_of_geometry_is_named(limits: dict[str, object], reason: str, multi_frame: bool) -> None:
    images = ct_series(slices=5, spacing_mm=2.0, pixel_mm=(0.5, 0.75))

    assert only_reason(chosen([enhanced(images)] if multi_frame else images, geometry=limits)) == reason


def test_a_series_exactly_at_the_limits_fits() -> None:
    images = ct_series(slices=5, spacing_mm=2.0, pixel_mm=(0.5, 0.75))
    limits = {"min_slices": 5, "max_slices": 5, "max_extent_mm": (10, 3, 6), "min_extent_mm": (10, 3, 6)}

    assert chosen(images, geometry=limits).series is not None


def test_a_series_without_position_is_not_taken_as_a_stack() -> None:
    images = ct_series()
    del images[3].ImagePositionPatient

    assert only_reason(chosen(images)).startswith("ImagePositionPatient is missing")


def test_the_thinnest_series_ranks_first_and_both_say_why() -> None:
    choice = chosen([*ct_series(name="thick", spacing_mm=5.0), *ct_series(name="thin", spacing_mm=1.0)])

    assert taken_name(choice) == "1 CT thin"
    assert choice.verdicts[0].reasons == ("fits, but '1 CT thin' has thinner slices (1 mm against 5 mm)",)
    assert choice.verdicts[1].reasons == ("fits every condition; first of 2 by thinner slices (1 mm against 5 mm)",)


def test_of_equally_thin_series_the_one_with_most_slices_ranks_first() -> None:
    choice = chosen([*ct_series(name="short", slices=4), *ct_series(name="long", slices=9)])

    assert taken_name(choice) == "1 CT long"
    assert choice.verdicts[0].reasons == ("fits, but '1 CT long' has more slices (9 slices against 4 slices)",)


def test_the_preferred_kernel_ranks_first_where_the_model_asks() -> None:
    sharp, soft = ct_series(name="sharp", spacing_mm=1.0), ct_series(name="soft", spacing_mm=3.0)
    for image in sharp:
        image.ConvolutionKernel = "B70f"

    choice = chosen([*sharp, *soft], rank=["kernel", "thinnest"], kernels=["B30f", "B70f"])

    assert taken_name(choice) == "1 CT soft"
    assert choice.verdicts[0].reasons == ("fits, but '1 CT soft' has the preferred kernel (B30f against B70f)",)


def test_the_newest_series_ranks_first_where_the_model_asks() -> None:
    early, late = ct_series(name="early"), ct_series(name="late")
    for image in late:
        image.AcquisitionTime = "101113.5"

    choice = chosen([*early, *late], rank=["newest"])

    assert taken_name(choice) == "1 CT late"
    assert choice.verdicts[0].reasons == (
        "fits, but '1 CT late' has newer images (20260304101113 against 20260304101112)",
    )


def test_the_lower_series_number_breaks_a_tie() -> None:
    one, two = ct_series(name="one"), ct_series(name="two")
    for image in one:
        image.SeriesNumber = 7
    for image in two:
        image.SeriesNumber = 3

    assert taken_name(chosen([*one, *two])) == "3 CT two"


def test_a_series_that_cannot_be_stacked_yields_to_one_that_can_though_it_is_thinner() -> None:
    thin, thick = ct_series(name="thin", spacing_mm=1.0), ct_series(name="thick", spacing_mm=5.0)
    del thin[2]

    choice = chosen([*thin, *thick])

    assert taken_name(choice) == "1 CT thick"
    assert "no image between 1.00 and 3.00 mm" in choice.verdicts[0].reasons[0]


def test_a_faulty_series_is_taken_where_there_is_no_other_so_that_the_reader_is_told() -> None:
    images = ct_series(spacing_mm=2.0)
    del images[2]

    (verdict,) = chosen(images).verdicts

    assert verdict.taken
    assert (
        verdict.reasons[1]
        == "but no volume can be built: a slice is missing: no image between 2.00 and 6.00 mm along the stack"
    )


def test_a_tilted_stack_is_named() -> None:
    images = ct_series(slices=3, spacing_mm=1.0)
    for k, image in enumerate(images):
        image.ImagePositionPatient = ["0", str(k), str(k)]  # 45 degrees

    assert chosen(images).verdicts[0].reasons[1] == (
        "but no volume can be built: stacked 45.0° off the slice normal; the model takes at most 1°"
    )


def test_a_model_of_one_image_takes_the_view_it_was_evaluated_on() -> None:
    lateral, frontal = dx_image(view="LL", name="chest"), dx_image(view="PA", name="chest")
    frontal.InstanceNumber, frontal.SOPInstanceUID = 2, uid("frontal")
    toml = rules(modalities=["DX"], dimensions=2, domain={"views": ["PA", "AP"]})

    choice = choose_series(study_of([lateral, frontal]), toml)

    assert choice.series is not None
    assert [instance.sop_instance_uid for instance in choice.series.instances] == [uid("frontal")]
    assert choice.verdicts[0].reasons[1] == "image 2 of 2 images alone is analysed"


def test_a_model_of_one_image_takes_no_cine() -> None:
    cine, still = dx_image(name="cine"), dx_image(name="still")
    cine.NumberOfFrames = 30

    choice = choose_series(study_of([cine, still]), rules(modalities=["DX"], dimensions=2))

    assert choice.verdicts[0].reasons == ("30 frames, the model takes one image",)
    assert taken_name(choice) == "1 DX still"


def test_a_model_of_one_image_needs_no_geometry() -> None:
    choice = choose_series(study_of([dx_image()]), rules(modalities=["DX"], dimensions=2))

    assert choice.series is not None


def test_a_study_without_fitting_series_gives_none_and_every_reason() -> None:
    choice = chosen([*mr_series(), *ct_series(name="scout", slices=1)], geometry={"min_slices": 2})

    assert choice.series is None
    assert [verdict.reasons for verdict in choice.verdicts] == [
        ("modality MR, the model takes CT",),
        ("localizer image, by its description 'scout'", "1 slice, the model takes at least 2"),
    ]


def test_an_enhanced_multi_frame_is_judged_by_its_frames() -> None:
    frames = ct_series(slices=5)
    del frames[2]

    (verdict,) = chosen([enhanced(frames)]).verdicts

    assert verdict.reasons[1].startswith("but no volume can be built: a slice is missing")


def test_a_choice_depends_on_headers_alone() -> None:
    study = study_of(ct_series())
    nowhere = tuple(
        dataclasses.replace(series, instances=tuple(dataclasses.replace(i, sop_class_uid=CT) for i in series.instances))
        for series in study.series
    )  # none of these instances has a file

    assert choose_series(dataclasses.replace(study, series=nowhere), rules()).series is not None
