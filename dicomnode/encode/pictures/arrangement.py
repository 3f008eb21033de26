"""Where the views of a picture stand: of a few arrangements, the one in which they come out largest."""

from typing import NamedTuple

from dicomnode.encode.pictures.view import View

GUTTER = 16
CAPTION = 36
"""Below each view, in pixels."""
LEADING = 0.57
"""Of the height, for a first view that stands above the others."""


class Area(NamedTuple):
    """A box in pixels."""

    x: int
    y: int
    width: int
    height: int


def arranged_in(area: Area, views: tuple[View, ...]) -> tuple[Area, ...]:
    """A box for each view, captions included."""
    grids = [_grid(area, len(views), across) for across in range(1, len(views) + 1)]
    leading = [_led(area, len(views))] if len(views) > 1 and all(view.saliency is None for view in views) else []
    return max([*grids, *leading], key=lambda boxes: sum(map(_shown_area, views, boxes)))


def _grid(area: Area, count: int, across: int) -> tuple[Area, ...]:
    down = -(-count // across)
    width, height = _part(area.width, across), _part(area.height, down)
    return tuple(
        Area(area.x + n % across * (width + GUTTER), area.y + n // across * (height + GUTTER), width, height)
        for n in range(count)
    )


def _led(area: Area, count: int) -> tuple[Area, ...]:
    """The first above, the others in a row below."""
    first = Area(area.x, area.y, area.width, round(LEADING * area.height))
    top = first.height + GUTTER
    rest = Area(area.x, area.y + top, area.width, area.height - top)
    return first, *_grid(rest, count - 1, count - 1)


def _part(length: int, parts: int) -> int:
    return (length - GUTTER * (parts - 1)) // parts


def _shown_area(view: View, box: Area) -> float:
    """Square pixels that a view takes in a box."""
    rows, columns = view.pixels.shape
    wide, high = columns * view.scale.column_mm, rows * view.scale.row_mm
    zoom = min(box.width / wide, (box.height - CAPTION) / high)
    return float(wide * high * zoom * zoom)
