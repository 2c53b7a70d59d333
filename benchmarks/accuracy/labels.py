"""What a concept model sees, against what a person saw: zero-shot, by the nearest of many texts.

`python -m benchmarks.accuracy.labels [--footage FOLDER]`: without a folder, on four drawings of
things that ImageNet knows, which proves that the parts fit and little more. With one, on the videos
that `labels.yaml` names, as far as the folder holds them: their truth is one person's word, there
is one video of most things, and none was chosen for what the model knows.
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
import yaml

from benchmarks.accuracy.drawings import DRAWINGS
from curation.media.rendering import Picture
from curation.models.conse import Conse
from curation.models.model import ConceptModel
from pipelines.assets import cache_folder, fetch

LONG_SIDE_PX, NUM_FRAMES = 640, 4
"""As the clips stage stores frames."""

MANIFEST = Path(__file__).with_suffix(".yaml")
DRAWN = {
    "analog clock": ["a clock"],
    "crossword puzzle": ["a word puzzle"],
    "tennis ball": ["tennis"],
    "abacus": ["an abacus"],
}

BAR = {"times_chance": 5.0}
"""Top-1, at least. A stand-in that is no better than this is of no use as one."""

Truths = Mapping[str, Sequence[str]]


class Answer(NamedTuple):
    """What the model made of one clip."""

    name: str
    rank: int
    """Of the best right text among all, from 1."""

    said: str
    """The nearest text."""

    labels: list[str]
    """The model's own labels."""


def answers(
    model: ConceptModel, clips: Mapping[str, list[Picture]], truths: Truths
) -> list[Answer]:
    """Ranks the texts of all truths for each clip.

    Args:
        model: set up.
        clips: the frames of each clip, by name.
        truths: the texts that are right for each of the clips; those of other clips count as texts.
    """
    texts = sorted({text for right in truths.values() for text in right})
    of_texts = model.embed_text([f"a photo of {text}" for text in texts])
    found = []
    for name, frames in clips.items():
        [row] = model([frames])
        order = np.argsort(-of_texts @ np.array(row["concept_embedding"], np.float32))
        said = [texts[index] for index in order]
        rank = 1 + min(said.index(text) for text in truths[name])
        labels = [label["label"] for label in row["concept_labels"]]
        found.append(Answer(name, rank, said[0], labels))
    return found


def chance(truths: Sequence[Sequence[str]], num_texts: int, tries: int) -> float:
    """Share of clips with a right text among `tries` that are drawn without looking."""
    missed = [
        math.comb(num_texts - len(right), tries) / math.comb(num_texts, tries) for right in truths
    ]
    return 1 - sum(missed) / len(missed)


def figures_of(found: Sequence[Answer], truths: Truths) -> dict[str, float]:
    """Shares of clips whose nearest text is right, or one of the nearest three; and chance."""
    num_texts = len({text for right in truths.values() for text in right})
    own = [truths[answer.name] for answer in found]
    figures: dict[str, float] = {"clips": len(found), "texts": num_texts}
    for tries in (1, 3):
        figures[f"top_{tries}"] = sum(one.rank <= tries for one in found) / len(found)
        figures[f"chance_{tries}"] = chance(own, num_texts, tries)
    figures["times_chance"] = figures["top_1"] / figures["chance_1"]
    return figures


def frames_of(path: Path) -> list[Picture]:
    """Frames at even places of a video, shrunk."""
    pictures = []
    with av.open(str(path)) as container:
        length = container.duration or 0
        for place in (np.arange(NUM_FRAMES) + 0.5) / NUM_FRAMES:
            wanted = round(place * length)
            container.seek(wanted)
            for frame in container.decode(video=0):
                if frame.time is None or frame.time * av.time_base >= wanted:
                    break
            picture = frame.to_ndarray(format="rgb24")
            part = LONG_SIDE_PX / max(picture.shape[:2])
            small = cv2.resize(picture, None, fx=part, fy=part, interpolation=cv2.INTER_AREA)
            pictures.append(np.asarray(small, np.uint8))
    return pictures


def footage(folder: Path, truths: Truths) -> dict[str, list[Picture]]:
    """The frames of those videos of the manifest that the folder holds."""
    found = {name: folder / name for name in truths if (folder / name).is_file()}
    if not found:
        raise SystemExit(f"{folder} holds none of the videos that {MANIFEST.name} names")
    return {name: frames_of(path) for name, path in found.items()}


def main() -> None:
    """Prints a table and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, help="folder of the videos of labels.yaml")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    fetch("models", cache_folder() / "models")
    model = Conse(cache_folder() / "models")
    model.setup()
    seen = yaml.safe_load(MANIFEST.read_text("utf-8"))
    truths = seen | DRAWN
    clips = {name: [draw()] for name, draw in DRAWINGS.items()}
    if arguments.footage:
        clips = footage(arguments.footage, seen)
        truths = seen
    found = answers(model, clips, truths)
    for answer in found:
        right = ", ".join(truths[answer.name])
        labels = ", ".join(answer.labels[:3])
        print(f"{answer.name:32} {right:28} {answer.rank:3}  {answer.said:24} ({labels})")
    figures = figures_of(found, truths)
    for key, value in figures.items():
        print(f"{key:<14} {value:8.3f}")
    held = figures["times_chance"] >= BAR["times_chance"]
    print(json.dumps({"name": "accuracy/labels", "figures": figures, "bar": BAR, "held": held}))


if __name__ == "__main__":
    main()
