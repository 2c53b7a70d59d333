"""Colours by their plain names: of points, of parts of the view, and how they change.

A point's name follows from lightness, chroma and hue in CIELAB (the L* of 0 to 100, chroma and
angle of a* and b*). The basic terms are those of Berlin and Kay 1969, with beige; the borders
between them are ours, set so that every CSS colour that carries a basic term in its name gets that
term or a neighbour (the test says which).
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from curation.media.rendering import Picture

LOOK_PX = (64, 36)
"""Width and height at which colours are named."""

TERMS = (
    *("black", "grey", "white", "red", "orange", "brown", "beige", "yellow", "green", "teal"),
    *("blue", "purple", "pink"),
)
"""What a point may be called."""

BLACK_L, WHITE_L = 14, 90
GREY_CHROMA = 12
"""Less chroma than this is no colour."""

DARK_L, LIGHT_L = 38, 72

HUES = ((16, "pink"), (44, "red"), (76, "orange"), (108, "yellow"), (165, "green"), (205, "teal"),
        (304, "blue"), (332, "purple"), (360, "pink"))  # fmt: skip
"""The hue angle up to which each name goes, degrees."""

Names = npt.NDArray[np.int8]
"""Indices into `TERMS`."""


class Look(NamedTuple):
    """The colours of one frame."""

    names: Names
    """`[36, 64]`."""

    lightness: npt.NDArray[np.float32]
    """`[36, 64]`, L* of 0 to 100."""


def look(picture: Picture) -> Look:
    """The colour of each point of a picture, scaled down."""
    small = cv2.resize(picture, LOOK_PX, interpolation=cv2.INTER_AREA)
    shown = np.asarray(small, np.float32) / 255
    lab = np.asarray(cv2.cvtColor(shown, cv2.COLOR_RGB2LAB), np.float32)
    return Look(colour_terms(lab), lab[..., 0])


def colour_terms(lab: npt.NDArray[np.float32]) -> Names:
    """The name of each point.

    Args:
        lab: `[..., 3]`, CIELAB with L* of 0 to 100.
    """
    lightness, chroma = lab[..., 0], np.hypot(lab[..., 1], lab[..., 2])
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360
    edges = np.array([edge for edge, _ in HUES])
    of_hue = np.array([TERMS.index(name) for _, name in HUES], np.int8)
    names = of_hue[np.minimum(np.searchsorted(edges, hue, "right"), len(HUES) - 1)]
    for name, where in (
        ("pink", (hue < 40) & (lightness > 60) & (chroma < 60)),
        ("red", ((hue < 16) | (hue > 345)) & (lightness < 40)),
        ("brown", (hue > 22) & (hue < 47) & (lightness < 62) & (chroma < 45)),
        ("brown", (hue > 40) & (hue < 100) & (lightness < 62) & (chroma < 55)),
        ("brown", (hue > 47) & (hue < 90) & (lightness < 52)),
        ("beige", (hue > 50) & (hue < 112) & (lightness >= 62) & (chroma < 38)),
        ("blue", (hue > 300) & (hue < 309) & (lightness < DARK_L)),
        ("grey", chroma < GREY_CHROMA),
        ("black", (lightness < BLACK_L) & (chroma < 2 * GREY_CHROMA)),
        ("white", (lightness > WHITE_L) & (chroma < GREY_CHROMA)),
    ):
        names = np.where(where, np.int8(TERMS.index(name)), names)
    return names.astype(np.int8)


def shares(names: Names) -> npt.NDArray[np.float64]:
    """The share of each of `TERMS` among the points, `[13]`."""
    return np.bincount(names.ravel(), minlength=len(TERMS)) / names.size


def toned(term: int, looks: Sequence[Look]) -> str:
    """The term with `dark` or `light` before it where most of its points in these frames are so."""
    name = TERMS[term]
    if name in ("black", "white", "beige"):
        return name
    found = np.concatenate([one.lightness[one.names == term] for one in looks])
    if not found.size:
        return name
    if np.mean(found < DARK_L) > 0.6:
        return f"dark {name}"
    return f"light {name}" if np.mean(found > LIGHT_L) > 0.6 and name != "yellow" else name
