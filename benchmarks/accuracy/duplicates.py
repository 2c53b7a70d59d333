"""Copy detection: altered copies of real shots against their originals and against other shots.

`python -m benchmarks.accuracy.duplicates [--footage FOLDER] [--shots N] [--variant int8]`; without
a folder, the footage of `make demo` is used. Each shot is one clip.

Different videos, `threshold`: the copies are encoded anew and lack their first tenth, so that the
frames that are looked at are other ones. Every copy is compared with every original: with its own
it should be found, with any other it should not.

One video, `same_video_threshold`: a shot that comes twice in one file should be found, two
different shots of one video should not. Two halves of one shot are neither: they show the same
place a few seconds later, and the share that is taken for the same is told.

Not counted as negatives are pairs of shots that show the same picture anyway: a film that comes
back to a camera position, or the same shot in two videos. They are told by pixels, without the
network under test: a correlation of `REPEAT` or more between any two frames at 64x36. What would be
found among those is in `precision_with_repeats`. All other pairs count, those within a scene too.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.accuracy.copies import (
    ALTERATIONS,
    MAX_S,
    STORED,
    TAKEN_FPS,
    Frames,
    RealShot,
    copies,
    real_shots,
    repeated,
    stored,
)
from curation.clip_frames import ClipFrames
from curation.duplicates import DuplicateSettings
from curation.models.sscd import VERSIONS, CopyDetector
from pipelines.assets import cache_folder, fetch

REPEAT = 0.75
"""Pictures that have nothing in common reach 0.6; jump cuts from one camera position 0.8."""

THRESHOLDS = (0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9)
SAME_VIDEO_THRESHOLDS = (0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96, 0.98)
HELD_TO = ("re-encode", "rescale", "colour")
BAR = {
    "precision": 0.99,
    **{f"{name}_recall": 0.95 for name in HELD_TO},
    "repeat_recall": 0.95,
    "same_video_precision": 0.99,
}
SCENE_S = 30.0
"""Shots of one video that start within this time are taken to be of one scene."""

KINDS = ("original", *ALTERATIONS, "first", "again", "early", "late")
"""The clips that are made of each shot."""

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class Compared(NamedTuple):
    """How alike every copy is to every original, and what is alike within one video."""

    similarity: dict[str, Array]
    """`[shot of the copy, shot of the original]`, by alteration."""

    within: Array
    """`[S, S]`: of the originals to each other; on the diagonal, of a shot to its repetition."""

    moments: Array
    """Of the first half of a shot to its second, for the shots of full length."""

    repeats: Mask
    """`[S, S]`: different shots that show the same."""

    neighbours: Mask
    """`[S, S]`: different shots of one scene, repeats left out."""

    siblings: Mask
    """`[S, S]`: different shots of one video, repeats left out."""

    @property
    def others(self) -> Mask:
        """The negatives."""
        return ~self.repeats & ~np.eye(len(self.repeats), dtype=bool)


def compare(
    shots: Iterable[RealShot], detector: CopyDetector, scratch: Path, count: int = STORED.count
) -> Compared:
    """Makes the copies of each shot, embeds `count` frames of each, and compares all with all."""
    embedded: list[Array] = []
    thumbnails, places, full = [], [], []
    for shot in shots:
        half = len(shot.clip) // 2
        made = [shot.clip, *copies(shot, scratch).values(), *repeated(shot, scratch)]
        clips = [stored(one, count) for one in [*made, shot.clip[:half], shot.clip[half:]]]
        embedded += [np.array(row["copy_embedding"], np.float32) for row in detector(clips)]
        thumbnails.append(_thumbnails(clips[0]))
        places.append((shot.video, shot.start_s))
        full.append(len(shot.clip) == round(MAX_S * TAKEN_FPS))
    clip_of = np.repeat(np.arange(len(embedded)), [len(one) for one in embedded])
    frames = ClipFrames(np.concatenate(embedded), clip_of, len(embedded))
    similarity = {name: _all_pairs(frames, name, "original") for name in ALTERATIONS}
    within = _all_pairs(frames, "original", "original")
    np.fill_diagonal(within, np.diag(_all_pairs(frames, "first", "again")))
    moments = np.diag(_all_pairs(frames, "early", "late"))[np.array(full, bool)]
    return Compared(similarity, within, moments, *_masks(np.array(thumbnails), places))


def _all_pairs(frames: ClipFrames, kind: str, other_kind: str) -> Array:
    """`[S, S]`: how alike the clips of two kinds are."""
    number = frames.count // len(KINDS)
    one, other = (axis.ravel() * len(KINDS) for axis in np.indices((number, number)))
    places = KINDS.index(kind), KINDS.index(other_kind)
    return frames.similarity(one + places[0], other + places[1]).reshape(number, number)


def _masks(thumbnails: Array, places: Sequence[tuple[str, float]]) -> tuple[Mask, Mask, Mask]:
    """Which shots repeat others, and which others are of the same scene and the same video."""
    correlation = np.einsum("afp,bgp->abfg", thumbnails, thumbnails)
    different = ~np.eye(len(places), dtype=bool)
    repeats = (correlation.max(axis=(2, 3)) >= REPEAT) & different
    siblings = np.array([[a[0] == b[0] for b in places] for a in places]) & different & ~repeats
    near = np.array([[abs(a[1] - b[1]) <= SCENE_S for b in places] for a in places])
    return repeats, siblings & near, siblings


def _thumbnails(frames: Frames) -> Array:
    """`[F, 64 * 36]`, mean 0 and length 1 each, so that a product is a correlation."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    small = [cv2.resize(one, (64, 36), interpolation=cv2.INTER_AREA).ravel() for one in grey]
    centred = np.array(small, np.float32) - np.mean(small, axis=1, keepdims=True)
    return np.asarray(centred / (np.linalg.norm(centred, axis=1, keepdims=True) + 1e-6), np.float32)


def figures_at(compared: Compared, threshold: float) -> dict[str, float]:
    """Recall of each alteration; precision over all copies; false alarms among the negatives."""
    figures = {
        f"{name}_recall": float(np.mean(np.diag(found) >= threshold))
        for name, found in compared.similarity.items()
    }
    every = np.array(list(compared.similarity.values()))
    found = int((np.diagonal(every, axis1=1, axis2=2) >= threshold).sum())
    false = int((every[:, compared.others] >= threshold).sum())
    repeated = int((every[:, compared.repeats] >= threshold).sum())
    figures["precision"] = found / max(1, found + false)
    figures["precision_with_repeats"] = found / max(1, found + false + repeated)
    figures["false_share"] = _share(every[:, compared.others] >= threshold)
    figures["same_scene_false_share"] = _share(every[:, compared.neighbours] >= threshold)
    return figures


def same_video_figures_at(compared: Compared, threshold: float) -> dict[str, float]:
    """What is taken for the same within one video: repetitions, other shots, other moments."""
    found = compared.within >= threshold
    repeated, false = int(np.diag(found).sum()), int(found[compared.siblings].sum()) // 2
    return {
        "repeat_recall": float(np.diag(found).mean()),
        "same_video_precision": repeated / max(1, repeated + false),
        "same_video_false_share": _share(found[compared.siblings]),
        "same_shot_share": _share(compared.moments >= threshold),
    }


def _share(found: Mask) -> float:
    return float(found.mean()) if found.size else 0.0


def print_curve(
    compared: Compared,
    figures: Callable[[Compared, float], dict[str, float]],
    thresholds: Sequence[float],
) -> None:
    """One line per figure, one column per threshold."""
    columns = [figures(compared, threshold) for threshold in thresholds]
    print(f"{'threshold':24}" + "".join(f"{threshold:9.2f}" for threshold in thresholds))
    for name in columns[0]:
        digits = 5 if name.endswith("false_share") else 3
        print(f"{name:24}" + "".join(f"{column[name]:9.{digits}f}" for column in columns))


def main() -> None:
    """Prints the curve and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, help="folder of videos; else the demo's")
    parser.add_argument("--shots", type=int, default=80, help="at most so many")
    parser.add_argument("--frames", type=int, default=STORED.count, help="stored of each clip")
    parser.add_argument("--variant", choices=list(VERSIONS), default="distilled")
    arguments = parser.parse_args()
    weights = cache_folder() / "models"
    fetch("models", weights)
    # Of the demo's two videos, the trailer is cut from the film: only the film is used.
    paths = fetch("demo", cache_folder() / "demo")[:1]
    if arguments.footage:
        paths = sorted(p for p in arguments.footage.iterdir() if p.suffix in {".mp4", ".mkv"})
    cv2.setNumThreads(1)
    detector = CopyDetector(weights, arguments.variant)
    detector.setup()
    with tempfile.TemporaryDirectory() as name:
        compared = compare(
            real_shots(paths, arguments.shots), detector, Path(name), arguments.frames
        )
    number = len(compared.repeats)
    masks = (compared.others, compared.siblings, compared.neighbours, compared.repeats)
    others, siblings, neighbours, repeats = (int(mask.sum()) for mask in masks)
    print(
        f"{number} shots, {others} pairs of different shots as negatives, of which {siblings} of "
        f"one video, {neighbours} within {SCENE_S:.0f} s; left out as repeats: {repeats}"
    )
    print_curve(compared, figures_at, THRESHOLDS)
    print_curve(compared, same_video_figures_at, SAME_VIDEO_THRESHOLDS)
    shipped = DuplicateSettings()
    figures = figures_at(compared, shipped.threshold)
    figures |= same_video_figures_at(compared, shipped.same_video_threshold)
    figures |= shipped.model_dump(include={"threshold", "same_video_threshold"})
    figures |= {"shots": number, "frames": arguments.frames}
    held = all(figures[key] >= bar for key, bar in BAR.items())
    print(json.dumps({"name": "accuracy/duplicates", "figures": figures, "bar": BAR, "held": held}))


if __name__ == "__main__":
    main()
