"""A plot as inline SVG: axes, lines, bands and points. Colours and strokes are classes of the report's style sheet."""

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

Span = tuple[float, float]
Tick = tuple[float, str]
LEFT, TOP, RIGHT, BOTTOM = 46.0, 10.0, 12.0, 38.0
"""Room around the plot for its labels, in pixels."""


class Plot:
    """One plot; x grows to the right and y upwards."""

    def __init__(self, size: tuple[float, float], x: Span, y: Span, *, left: float = LEFT, log_x: bool = False) -> None:
        self.width, self.height = size
        self._x, self._y, self._left, self._log_x = x, y, left, log_x
        self._parts: list[str] = []

    def axes(self, x: Sequence[Tick], y: Sequence[Tick], *, x_name: str, y_name: str) -> None:
        """Grid lines with their labels, and what the axes are."""
        bottom, right = self.height - BOTTOM, self.width - RIGHT
        for at, label in y:
            py = self._py(at)
            self._add(f'<line class="grid" x1="{self._left:.1f}" x2="{right:.1f}" y1="{py:.1f}" y2="{py:.1f}"/>')
            self._text(self._left - 6, py + 3.5, label, "tick end")
        for at, label in x:
            px = self._px(at)
            self._add(f'<line class="grid" x1="{px:.1f}" x2="{px:.1f}" y1="{TOP}" y2="{bottom:.1f}"/>')
            self._text(px, bottom + 14, label, "tick middle")
        self._add(f'<path class="axis" d="M{self._left:.1f} {TOP} V{bottom:.1f} H{right:.1f}"/>')
        self._text((self._left + right) / 2, self.height - 6, x_name, "name middle")
        middle = (TOP + bottom) / 2
        if y_name:
            turned = f'class="name middle" transform="translate(11 {middle:.1f}) rotate(-90)"'
            self._add(f"<text {turned}>{escape(y_name)}</text>")

    def line(self, xs: Iterable[float], ys: Iterable[float], kind: str) -> None:
        """A line through points."""
        points = " ".join(f"{self._px(x):.1f},{self._py(y):.1f}" for x, y in zip(xs, ys, strict=True) if _told(x, y))
        if points:
            self._add(f'<polyline class="line {kind}" points="{points}"/>')

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], kind: str) -> None:
        """The area between two lines."""
        rows = [row for row in zip(xs, low, high, strict=True) if _told(*row)]
        there = [f"{self._px(x):.1f},{self._py(b):.1f}" for x, _, b in rows]
        back = [f"{self._px(x):.1f},{self._py(a):.1f}" for x, a, _ in reversed(rows)]
        if rows:
            self._add(f'<polygon class="band {kind}" points="{" ".join(there + back)}"/>')

    def upright(self, x: float, low: float, high: float, kind: str) -> None:
        """An interval of y."""
        self._segment((x, low), (x, high), kind)

    def level(self, y: float, low: float, high: float, kind: str) -> None:
        """An interval of x, or a line across."""
        self._segment((low, y), (high, y), kind)

    def point(self, x: float, y: float, kind: str) -> None:
        """A mark: a disc for the candidate, an open square for the model in use, a small triangle for others."""
        if not _told(x, y):
            return
        px, py = self._px(x), self._py(y)
        if "in_use" in kind:
            self._add(f'<rect class="mark {kind}" x="{px - 3.2:.1f}" y="{py - 3.2:.1f}" width="6.4" height="6.4"/>')
        elif "candidate" in kind or "case" in kind:
            radius = 2.6 if "case" in kind else 3.6
            self._add(f'<circle class="mark {kind}" cx="{px:.1f}" cy="{py:.1f}" r="{radius}"/>')
        else:
            self._add(f'<path class="mark {kind}" d="M{px:.1f} {py - 4:.1f} l4 7 h-8 z"/>')

    def bar(self, x: Span, y: float, kind: str) -> None:
        """A bar from zero."""
        left, right, top, foot = self._px(x[0]), self._px(x[1]), self._py(y), self._py(self._y[0])
        size = f'width="{max(right - left, 0.5):.1f}" height="{max(foot - top, 0.0):.1f}"'
        self._add(f'<rect class="bar {kind}" x="{left:.1f}" y="{top:.1f}" {size}/>')

    def label(self, x: float, y: float, text: str, kind: str = "tick") -> None:
        """A text at a place in the plot's own units."""
        self._text(self._px(x), self._py(y) + 3.5, text, kind)

    def beside(self, offset: float, y: float, text: str, kind: str = "tick") -> None:
        """A text at a distance from the left edge of the picture, in pixels."""
        self._text(offset, self._py(y) + 3.5, text, kind)

    def markup(self, told: str) -> Markup:
        """The plot, with what it shows in words for who cannot see it."""
        head = f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" aria-label="{escape(told)}">'
        return Markup(head + "".join(self._parts) + "</svg>")  # noqa: S704 - every text in it was escaped

    def _segment(self, one: Span, other: Span, kind: str) -> None:
        if _told(*one, *other):
            (x1, y1), (x2, y2) = ((self._px(x), self._py(y)) for x, y in (one, other))
            self._add(f'<line class="line {kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def _text(self, px: float, py: float, text: str, kind: str) -> None:
        self._add(f'<text class="{kind}" x="{px:.1f}" y="{py:.1f}">{escape(text)}</text>')

    def _add(self, part: str) -> None:
        self._parts.append(part)

    def _px(self, x: float) -> float:
        low, high = self._x
        if self._log_x:
            low, high, x = math.log(low), math.log(high), math.log(max(x, low))
        share = (min(max(x, low), high) - low) / (high - low)
        return self._left + share * (self.width - self._left - RIGHT)

    def _py(self, y: float) -> float:
        low, high = self._y
        share = (min(max(y, low), high) - low) / (high - low)
        return self.height - BOTTOM - share * (self.height - TOP - BOTTOM)


def ticks(low: float, high: float, step: float) -> list[Tick]:
    """Ticks at whole steps."""
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return [(n * step, f"{n * step:.{digits}f}".replace("-", "−")) for n in range(first, last + 1)]


def _told(*values: float) -> bool:
    return all(math.isfinite(value) for value in values)
