"""What a route could take, judged by the little that a PACS tells."""

from dicomnode.choose.from_afar import could_take, merged
from dicomnode.config.tables import Route
from dicomnode.values import Header


def route(**when: object) -> Route:
    return Route.model_validate({"name": "r", "models": [], "destinations": [], "when": when})


MR = Header({"Modality": "MR", "StudyDescription": "Head"})


def test_what_is_told_decides() -> None:
    assert could_take([route(all=[{"tag": "Modality", "equals": "MR"}])], [MR])
    assert not could_take([route(all=[{"tag": "Modality", "equals": "CT"}])], [MR])


def test_what_is_not_told_may_hold() -> None:
    unknown = {"tag": "SliceThickness", "max": 2}

    assert could_take([route(all=[{"tag": "Modality", "equals": "MR"}, unknown])], [MR])
    assert not could_take([route(all=[{"tag": "Modality", "equals": "CT"}, unknown])], [MR])
    assert could_take([route(any=[{"tag": "Modality", "equals": "CT"}, unknown])], [MR])
    assert could_take([route(all=[{"tag": "BodyPartExamined", "present": False}])], [MR])


def test_one_series_and_one_route_are_enough() -> None:
    ct = Header({"Modality": "CT"})
    routes = [route(all=[{"tag": "Modality", "equals": modality}]) for modality in ("US", "MR")]

    assert could_take(routes, [ct, MR])
    assert not could_take(routes, [ct])
    assert not could_take([], [MR])


def test_a_series_is_judged_with_what_is_told_of_its_study() -> None:
    together = merged(Header({"StudyDescription": "Head"}), Header({"Modality": "MR"}))

    assert together == Header({"StudyDescription": "Head", "Modality": "MR"})
