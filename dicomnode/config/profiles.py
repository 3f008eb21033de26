"""Viewer profiles: which kinds of object a destination gets, so that its viewer shows the findings."""

from dicomnode.values import Role

OBJECTS = (
    Role.SEG,
    Role.SR,
    Role.SR_OHIF,
    Role.CAD_SR,
    Role.KOS,
    Role.GSPS,
    Role.SC,
    Role.PMAP,
    Role.PDF,
    Role.RTSTRUCT,
)
"""What a profile may list, in the order in which a run makes them."""

PICTURES = (Role.SC, Role.PDF)
"""Objects that show slices whole."""
PRIOR = "prior"
"""Of a study that was fetched to compare another one with: results for the node itself, sent nowhere."""

PROFILES: dict[str, tuple[Role, ...]] = {
    "standard": (Role.SEG, Role.SR),
    "ohif": (Role.SEG, Role.SR_OHIF, Role.PMAP, Role.SC),
    "basic": (Role.KOS, Role.SC, Role.PDF),
    "full": (Role.SEG, Role.SR, Role.KOS, Role.GSPS, Role.SC, Role.PMAP, Role.PDF),
    PRIOR: (Role.SR,),
}
"""Built-in profiles.

standard: the objects of IHE AI Results. ohif: those that OHIF draws and lets a reader edit. basic: pictures, for a PACS
that shows neither SR nor SEG. full: everything but what a special workstation takes.
"""
