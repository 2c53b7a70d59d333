"""One number for how clean a picture is: 0 to 100, higher is better.

The embedded stand-in where the full profile has an aesthetic score. It says nothing of beauty,
subject or composition: it is 100 less what faults take off, each at most its share and none made
good by another,

    100 * product over faults of (1 - share * fault),  each fault 0 to 1.

Five faults are looked at, each seen by one number that the others miss. BRISQUE sees blur, blocks
and strong noise, but prefers a compressed picture with some noise on it to the same without; so
noise is measured of its own, where the picture is quietest. Sharpness sees slight blur and
enlarging, after a 3x3 median, for noise would pass for detail. Contrast and colourfulness see what
is flat and pale; BRISQUE divides by contrast. Colour takes off little: a black-and-white film is
none the worse for it.

The ends of the scales are ours, set on 47 frames of as many real videos: about the best and the
worst that was met, and what faults of known strength give. `benchmarks/accuracy/quality.py` says
how far it can be trusted: a fall within one picture means more than a difference between two.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from curation.media.rendering import Picture
from curation.signals.picture import colourfulness, exposure, sharpness

LOOK_PX = (128, 72)
"""Size at which light and colour are measured, as in the decode pass: noise is averaged out."""

BLOCK_PX = 16
PATCH_PX = 4
PATCH_RANGE = (24, 231)
"""Mean luma of every patch of the blocks that noise is measured in: near black and white it is
clipped, and a block that a black bar reaches into has less of it."""

LEAST_BLOCKS = 16
NOISE_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


class Fault(NamedTuple):
    """How a measure becomes a fault."""

    none_at: float
    full_at: float
    share: float
    """Of the index, that a full fault takes off."""

    def __call__(self, value: float) -> float:
        """What is left of the index, `1 - share` to 1."""
        fault = (value - self.none_at) / (self.full_at - self.none_at)
        return 1 - self.share * min(1.0, max(0.0, fault))


BRISQUE = Fault(none_at=30, full_at=90, share=0.9)
NOISE = Fault(none_at=0.8, full_at=8, share=0.8)
SHARPNESS = Fault(none_at=0.8, full_at=0, share=0.7)
CONTRAST = Fault(none_at=0.15, full_at=0, share=0.7)
COLOURFULNESS = Fault(none_at=30, full_at=0, share=0.2)


def quality_index(frame: Picture, brisque: float) -> float:
    """How clean a picture is: 0 to 100, higher is better.

    Args:
        frame: RGB, 0 to 255, `[H, W, 3]`, at the size at which `brisque` was measured.
        brisque: its BRISQUE score.
    """
    luma = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)
    small = cv2.resize(frame, LOOK_PX, interpolation=cv2.INTER_AREA)
    light = exposure(np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8), full_range=True)
    return (
        100
        * BRISQUE(brisque)
        * NOISE(noise(luma))
        * SHARPNESS(sharpness(np.asarray(cv2.medianBlur(luma, 3), np.uint8)))
        * CONTRAST(light.contrast)
        * COLOURFULNESS(colourfulness(np.asarray(small[..., ::-1], np.uint8)))
    )


def noise(luma: NDArray[np.uint8]) -> float:
    """Standard deviation of the noise in luma steps of 255, where the picture is quietest.

    Immerkaer 1996 in blocks of 16 px: a mask that answers to noise and not to edges. The lower
    quartile over the blocks is taken, so that texture counts only where it is everywhere.

    Args:
        luma: `[H, W]`, 0 to 255.
    """
    height, width = (side // BLOCK_PX * BLOCK_PX for side in luma.shape)
    if not height or not width:
        return 0.0
    answer = np.abs(cv2.filter2D(luma, cv2.CV_32F, NOISE_MASK))[:height, :width]
    found = _blocks(answer, BLOCK_PX).mean(axis=(1, 3)) * float(np.sqrt(np.pi / 2) / 6)
    light = _blocks(luma[:height, :width], PATCH_PX).mean(axis=(1, 3), dtype=np.float32)
    patches = _blocks(light, BLOCK_PX // PATCH_PX)
    darkest, brightest = patches.min(axis=(1, 3)), patches.max(axis=(1, 3))
    open_ended = found[(darkest >= PATCH_RANGE[0]) & (brightest <= PATCH_RANGE[1])]
    return float(np.percentile(open_ended if open_ended.size >= LEAST_BLOCKS else found, 25))


def _blocks(plane: NDArray[Any], side: int) -> NDArray[Any]:
    """`[rows, side, columns, side]`."""
    height, width = plane.shape
    return plane.reshape(height // side, side, width // side, side)
