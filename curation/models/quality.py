"""Technical quality of pictures without a reference: BRISQUE.

A. Mittal, A. K. Moorthy, A. C. Bovik, "No-Reference Image Quality Assessment in the Spatial
Domain", IEEE TIP 21(12), 2012. Luma less its local mean, over its local deviation, has one
distribution in clean photographs, and so have the products of neighbours; blur, noise and
compression change them. 18 numbers of these distributions at each of two scales go into a support
vector regression fitted to the opinions on the LIVE database of distorted photographs.

It tells blur, noise and blocks from clean detail. It says nothing of composition or beauty, was
never shown drawings or renderings, and takes wide flat areas for damage: a caption card or a black
bar may get any number. Numbers compare at one size of picture, so larger frames are shrunk.

The same model fills `quality_index`, of which BRISQUE is one part: see
`curation/models/quality_index.py`.

Cost on one thread: MSMS ms a frame of 640x360.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.media.rendering import Picture
from curation.models.model import FrameModel, check_finite, score_columns, weights_file
from curation.models.quality_index import quality_index

Plane = NDArray[np.float64]

SVM_FILE = "brisque-svm.txt"

LONGEST_SIDE_PX = 640
"""Larger frames are shrunk to this, about what the pictures of the LIVE database measure."""

LUMA_WEIGHTS = (0.2125, 0.7154, 0.0721)
WINDOW_PX = 7
WINDOW_SIGMA_PX = 7 / 6
CONTRAST_FLOOR = 1 / 255

LEAST_VARIANCE = 1e-6
"""Of either side of a distribution; below it, the picture is flat and the shape undefined."""

LOWEST = np.array(
    [0.336999, 0.019667, 0.23, -0.125959, 0.000167, 0.000616, 0.231, -0.125873, 0.000165,
     0.0006, 0.241, -0.128814, 0.000179, 0.000386, 0.243, -0.13308, 0.000182, 0.000421,
     0.436998, 0.016929, 0.247, -0.200231, 0.000104, 0.000834, 0.257, -0.200017, 0.000112,
     0.000876, 0.257, -0.155072, 0.000112, 0.000356, 0.258, -0.154374, 0.000117, 0.000351]
)  # fmt: skip
HIGHEST = np.array(
    [9.999411, 0.807472, 1.644021, 0.202917, 0.712384, 0.468672, 1.644021, 0.169548, 0.713132,
     0.467896, 1.553016, 0.101368, 0.687324, 0.533087, 1.554016, 0.101, 0.689177, 0.533133,
     3.639918, 0.800955, 1.096995, 0.175286, 0.755547, 0.39927, 1.095995, 0.155928, 0.751488,
     0.402398, 1.041992, 0.093209, 0.623516, 0.532925, 1.042992, 0.093714, 0.621958, 0.534484]
)  # fmt: skip
"""Range of each feature over the LIVE database, `[36]`, as in LIVE's release of BRISQUE."""


class Regression(NamedTuple):
    """An epsilon support vector regression with a radial basis function."""

    vectors: Plane
    """`[V, F]`."""

    weights: Plane
    """`[V]`."""

    gamma: float
    """The kernel is exp(-gamma * squared distance)."""

    rho: float
    """Taken off the sum."""


def read_regression(path: Path) -> Regression:
    """The regression in libsvm's text format.

    Raises:
        ValueError: the file holds no epsilon SVR with an RBF kernel.
    """
    head, _, body = path.read_text(encoding="ascii").partition("SV\n")
    keys = dict(line.split(maxsplit=1) for line in head.splitlines() if line)
    if (keys.get("svm_type"), keys.get("kernel_type")) != ("epsilon_svr", "rbf"):
        raise ValueError(f"{path} is no epsilon SVR with an RBF kernel in libsvm's text format")
    rows = [line.split() for line in body.splitlines()]
    vectors = np.zeros((len(rows), len(LOWEST)))
    for vector, row in zip(vectors, rows, strict=True):
        for entry in row[1:]:
            index, _, value = entry.partition(":")
            vector[int(index) - 1] = float(value)
    weights = np.array([float(row[0]) for row in rows])
    return Regression(vectors, weights, float(keys["gamma"]), float(keys["rho"]))


def predicted(regression: Regression, features: Plane) -> float:
    """What the regression says to features `[F]`."""
    distances = ((regression.vectors - features) ** 2).sum(axis=1)
    return float(regression.weights @ np.exp(-regression.gamma * distances) - regression.rho)


def brisque_features(frame: Picture) -> Plane | None:
    """The 36 features of the paper: 18 of the picture, 18 of the picture at half its size.

    None for a picture too flat or too small to have them.

    Args:
        frame: RGB, 0 to 255, `[H, W, 3]`.
    """
    if min(frame.shape[:2]) < 2 * WINDOW_PX:
        return None
    luma = cv2.transform(frame.astype(np.float64), np.array([LUMA_WEIGHTS])) / 255
    half = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_CUBIC)
    shapes = [*_shapes(np.asarray(luma)), *_shapes(np.asarray(half))]
    defined = [shape for shape in shapes if shape is not None]
    return np.concatenate(defined) if len(defined) == len(shapes) else None


def brisque(frame: Picture, regression: Regression) -> float | None:
    """Technical quality of a picture: about 0 is good, 100 bad; None for a flat or tiny picture.

    Args:
        frame: RGB, 0 to 255, `[H, W, 3]`.
        regression: LIVE's, of 36 features.
    """
    features = brisque_features(frame)
    if features is None:
        return None
    return predicted(regression, 2 * (features - LOWEST) / (HIGHEST - LOWEST) - 1)


def _shapes(luma: Plane) -> list[Plane | None]:
    """The shapes of five distributions: 2 numbers for the luma itself, 4 for each product."""
    window = cv2.getGaussianKernel(WINDOW_PX, WINDOW_SIGMA_PX)

    def mean(plane: Plane) -> Plane:
        return np.asarray(
            cv2.sepFilter2D(plane, -1, window, window, borderType=cv2.BORDER_CONSTANT)
        )

    local = mean(luma)
    deviation = np.sqrt(np.abs(mean(luma * luma) - local * local))
    even = (luma - local) / (deviation + CONTRAST_FLOOR)
    itself = generalised_gaussian(even)
    products = (
        even[:, :-1] * even[:, 1:],
        even[:-1] * even[1:],
        even[:-1, :-1] * even[1:, 1:],
        even[1:, :-1] * even[:-1, 1:],
    )
    first = None if itself is None else np.array([itself[0], (itself[2] + itself[3]) / 2])
    return [first, *(generalised_gaussian(product) for product in products)]


def generalised_gaussian(values: Plane) -> Plane | None:
    """Exponent, mean, left and right variance of the asymmetric generalised Gaussian, `[4]`.

    By moments, Lasmar, Stitou and Berthoumieu 2009; None if a side has no spread.
    """
    num_left = int(np.count_nonzero(values < 0))
    squares = cv2.norm(values, cv2.NORM_L2SQR)
    left_squares = cv2.norm(np.minimum(values, 0), cv2.NORM_L2SQR)
    left = left_squares / max(num_left, 1)
    right = (squares - left_squares) / max(values.size - num_left, 1)
    if min(left, right) < LEAST_VARIANCE:
        return None
    ratio = math.sqrt(left / right)
    spread = (cv2.norm(values, cv2.NORM_L1) / values.size) ** 2 / (squares / values.size)
    spread *= (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    exponent = float(np.interp(spread, _SPREADS, _EXPONENTS))
    moments = [math.lgamma(order / exponent) for order in (1, 2, 3)]
    mean = (math.sqrt(right) - math.sqrt(left)) * math.exp(
        moments[1] - (moments[0] + moments[2]) / 2
    )
    return np.array([exponent, mean, left, right])


_EXPONENTS = np.geomspace(0.1, 20, 20_000)
_SPREADS = np.exp(
    [2 * math.lgamma(2 / a) - math.lgamma(1 / a) - math.lgamma(3 / a) for a in _EXPONENTS]
)
"""Squared mean of the size over the mean of the square, which grows with the exponent."""


class Brisque(FrameModel):
    """The BRISQUE score and the quality index of a clip: the medians over its frames."""

    name: ClassVar[str] = "brisque"
    version = "19526fb799c4-2"
    columns: ClassVar[pa.Schema] = score_columns("quality_brisque", "quality_index")
    files = (SVM_FILE,)

    def setup(self) -> None:
        """Reads the regression."""
        self._regression = read_regression(weights_file(self._weights, SVM_FILE))

    def __call__(self, clips: Sequence[Sequence[Picture]]) -> list[dict[str, Any]]:
        """Two scores per clip; null for a clip without frames, or with flat ones only."""
        rows = []
        for index, frames in enumerate(clips):
            found = []
            for frame in map(_shrunk, frames):
                score = brisque(frame, self._regression)
                if score is not None:
                    found.append((score, quality_index(frame, score)))
            scores = np.array(found).reshape(-1, 2)
            check_finite(self.name, index, scores)
            medians = np.median(scores, axis=0).tolist() if found else [None, None]
            rows.append(dict(zip(self.columns.names, medians, strict=True)))
        return rows


def _shrunk(frame: Picture) -> Picture:
    height, width = frame.shape[:2]
    part = LONGEST_SIDE_PX / max(height, width)
    if part >= 1:
        return frame
    size = (max(1, round(width * part)), max(1, round(height * part)))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
