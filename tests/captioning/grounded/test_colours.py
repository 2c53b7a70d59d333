"""Colour names, against the names that CSS gives its colours."""

import colorsys

import cv2
import numpy as np
import pytest
from PIL import ImageColor

from captioning.grounded.colours import LOOK_PX, TERMS, colour_terms, look, shares, toned
from tests.captioning.clips import plain

NEIGHBOURS = {
    "aliceblue": "white",
    "blueviolet": "purple",
    "brown": "red",
    "cadetblue": "teal",
    "darkslategray": "teal",
    "lightgoldenrodyellow": "beige",
    "lightseagreen": "teal",
    "lightslategray": "grey",
    "lightyellow": "beige",
    "mediumvioletred": "pink",
    "palevioletred": "pink",
    "rosybrown": "pink",
    "sandybrown": "orange",
    "navajowhite": "beige",
    "slategray": "grey",
}
"""CSS colours that carry a term in their name and are called by the one beside it."""


def name_of(rgb: tuple[int, int, int]) -> str:
    lab = cv2.cvtColor(np.array([[rgb]], np.float32) / 255, cv2.COLOR_RGB2LAB)
    return TERMS[int(colour_terms(np.asarray(lab, np.float32))[0, 0])]


def css_colours() -> list[tuple[str, list[str]]]:
    names = [name for name, value in ImageColor.colormap.items() if isinstance(value, str)]
    plain_names = [name for name in names if "grey" not in name]
    terms = {name: [t for t in TERMS if t in name.replace("gray", "grey")] for name in plain_names}
    return [(name, found) for name, found in terms.items() if found]


@pytest.mark.parametrize(("name", "terms"), css_colours(), ids=lambda one: str(one))
def test_css_colours_are_called_by_the_term_in_their_name(name: str, terms: list[str]) -> None:
    found = name_of(ImageColor.getrgb(name)[:3])
    assert found in terms or found == NEIGHBOURS.get(name)


def test_every_term_is_the_name_of_some_colour() -> None:
    grid = [
        (r, g, b) for r in range(0, 256, 15) for g in range(0, 256, 15) for b in range(0, 256, 15)
    ]
    lab = cv2.cvtColor(np.array([grid], np.float32) / 255, cv2.COLOR_RGB2LAB)
    found = shares(colour_terms(np.asarray(lab, np.float32)))
    assert (found > 0.002).all()
    assert found.sum() == pytest.approx(1)


def test_saturated_hues_come_in_the_order_of_the_rainbow() -> None:
    found = [
        name_of(tuple(round(255 * one) for one in colorsys.hsv_to_rgb(hue / 360, 1, 1)))  # type: ignore[arg-type]
        for hue in (0, 35, 60, 120, 180, 230, 285, 320)
    ]
    assert found == ["red", "orange", "yellow", "green", "teal", "blue", "purple", "pink"]


def test_a_look_is_small_and_tells_parts_of_the_view_apart() -> None:
    picture = np.vstack([plain((20, 30, 200)), plain((10, 120, 20))])
    found = look(picture)
    assert found.names.shape == LOOK_PX[::-1]
    assert TERMS[found.names[0, 0]] == "blue"
    assert TERMS[found.names[-1, 0]] == "green"


def test_light_and_dark_are_told_where_most_points_are_so() -> None:
    def tone(rgb: tuple[int, int, int]) -> str:
        seen = look(plain(rgb))
        return toned(int(seen.names[0, 0]), [seen])

    assert tone((0, 60, 0)) == "dark green"
    assert tone((40, 160, 40)) == "green"
    assert tone((150, 230, 150)) == "light green"
    assert tone((255, 255, 0)) == "yellow"
    assert tone((250, 250, 250)) == "white"
    assert tone((60, 60, 60)) == "dark grey"
