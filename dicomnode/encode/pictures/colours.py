"""Colours on black: the segments' CIELab as sRGB, light enough to be seen, and the few colours of the page."""

from highdicom.color import CIELabColor

Colour = tuple[int, int, int]
"""sRGB, 0..255."""

BLACK, PAPER, CARD = (0, 0, 0), (0, 0, 0), (22, 24, 28)
INK, DIM, RULE = (242, 242, 242), (184, 188, 194), (64, 68, 74)
AMBER, BLUE, GREY = (255, 192, 77), (124, 196, 255), (150, 154, 160)
"""Of the palette of Okabe and Ito in spirit: told apart with any colour vision, and never the only sign."""

LIGHTEST = 62.0
"""L* below which a colour is lifted: on black it would not be seen."""


def on_black(cielab: tuple[float, float, float]) -> Colour:
    """A recommended display colour as sRGB, lifted where it would be too dark on black; hue and chroma stay."""
    lightness, a, b = cielab
    red, green, blue = CIELabColor(max(lightness, LIGHTEST), a, b).to_rgb(clip=True)
    return (int(red), int(green), int(blue))
