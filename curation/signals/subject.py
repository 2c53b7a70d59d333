"""What moves on its own: the vectors that depart from the camera's motion, as one thing.

Under a camera that stays or turns, these are subjects. Under one that travels, they may be whatever
is near, so who reads them has to know what the camera does.
"""

from typing import NamedTuple

import numpy as np

from curation.signals.parallax import Left

DEPARTING = 1 / 60
"""Distance from the fit over one pair, heights of the displayed frame, from which a vector is a
subject's: three times what the flow gets wrong before a bare wall."""


class Subject(NamedTuple):
    """What departs from the camera's motion over one pair of frames."""

    share: float
    """Of the area that holds vectors, 0 to 1."""

    place: complex
    """Its middle, frame heights from the centre, y down; 0 where nothing departs."""

    vector: complex
    """Its mean motion less the camera's, frame heights per pair, y down."""


def subject(left: Left, least: float = DEPARTING) -> Subject:
    """What departs, all of it together.

    Args:
        left: what the camera's fit leaves of the vectors.
        least: distance from the fit from which a vector departs, in the unit of the vectors.
    """
    own = np.abs(left.vectors) > least
    weights = left.weights * own
    share = float(weights.sum())
    if share == 0:
        return Subject(0.0, 0j, 0j)
    place, vector = (complex(weights @ values) / share for values in (left.places, left.vectors))
    return Subject(share, place, vector)
