"""What each model costs per stored frame, and what the scores stage costs beside the decode pass.

`python -m benchmarks.speed.scores [--video FILE]`: the decode pass of the demo's recipe goes over
the demo's film, or over another video; then every embedded model looks at the frames that it
stored, alone and on one thread. All times are CPU-seconds: a busy machine slows them all, and
hardly moves what one is to another. The stage is what `demo.yaml` asks for: SSCD once, distilled.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from benchmarks.speed.analyse import row_of
from curation.clips import ClipsStage
from curation.media.rendering import Picture
from curation.media.sandbox import Limits
from curation.models.model import FrameModel
from curation.scores import ScoresSettings, models
from pipelines.assets import cache_folder, fetch
from pipelines.recipe import load_recipe

MODELS = {
    "sscd distilled": ScoresSettings(copy_detection="distilled"),
    "sscd int8": ScoresSettings(copy_detection="int8"),
    "open-nsfw": ScoresSettings(safety="open-nsfw"),
    "pp-ocrv6": ScoresSettings(text="pp-ocrv6"),
    "brisque": ScoresSettings(quality="brisque"),
    "conse": ScoresSettings(concept="conse"),
}
DECODING = "JPEG decoding"
NOT_IN_STAGE = "sscd int8"
CLIPS_PER_BATCH = 16

BAR = {"scores_to_decode_pass": 2.0}
"""At most. It says that something is wrong, not how fast the models could be."""

Clip = Sequence[Picture]


def decode_pass(video: Path) -> dict[str, Any]:
    """The row of the clips stage, stored frames included."""
    stage = ClipsStage(load_recipe("demo").recipe.clips, Limits(), cache_folder() / "models")
    stage.setup()
    [row] = stage(pa.Table.from_pylist([row_of(video)])).to_pylist()
    if row["status"] != "ok" or not any(row["frames"]):
        raise SystemExit(f"{video}: no clips; {row['error']}")
    return row


def decoded(jpegs: Sequence[bytes]) -> Clip:
    """The frames of one clip."""
    bgr = [cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR) for one in jpegs]
    return [np.asarray(cv2.cvtColor(one, cv2.COLOR_BGR2RGB), np.uint8) for one in bgr]


def cpu_s(model: FrameModel, clips: Sequence[Clip]) -> tuple[float, float]:
    """CPU-seconds of setting the model up, and of scoring the clips."""
    began = time.process_time()
    model.setup()
    ready = time.process_time()
    for start in range(0, len(clips), CLIPS_PER_BATCH):
        model(clips[start : start + CLIPS_PER_BATCH])
    return ready - began, time.process_time() - ready


def main() -> None:
    """Prints a table and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, help="measure this; else the demo's film")
    arguments = parser.parse_args()
    weights = cache_folder() / "models"
    fetch("models", weights)
    video = arguments.video or fetch("demo", cache_folder() / "footage")[0]
    row = decode_pass(video)
    stored = [[frame["jpeg"] for frame in frames] for frames in row["frames"]]
    num_frames = sum(map(len, stored))

    cv2.setNumThreads(1)
    began = time.process_time()
    clips = [decoded(jpegs) for jpegs in stored]
    spent_s, setup_s = {DECODING: time.process_time() - began}, {DECODING: 0.0}
    for name, settings in MODELS.items():
        [model] = models(settings, weights)
        setup_s[name], spent_s[name] = cpu_s(model, clips)
    stage_s = sum(value for name, value in spent_s.items() if name != NOT_IN_STAGE)

    print(f"{len(clips)} clips, {num_frames} stored frames of {row['decoded_frames']} decoded ones")
    print(f"{'':16}{'ms a frame':>11}{'clips/s':>9}{'share':>7}{'setup, s':>10}")
    for name, value in spent_s.items():
        share = "" if name == NOT_IN_STAGE else f"{value / stage_s:.0%}"
        print(
            f"{name:16}{1000 * value / num_frames:11.1f}{len(clips) / value:9.2f}{share:>7}"
            f"{setup_s[name]:10.1f}"
        )
    print(f"{'the stage':16}{1000 * stage_s / num_frames:11.1f}{len(clips) / stage_s:9.2f}")
    figures = {f"ms_a_frame_{name}": 1000 * value / num_frames for name, value in spent_s.items()}
    figures |= {f"setup_s_{name}": value for name, value in setup_s.items() if name in MODELS}
    figures |= {
        "clips_per_s": len(clips) / stage_s,
        "scores_cpu_s": stage_s,
        "decode_pass_cpu_s": row["cpu_s"],
        "scores_to_decode_pass": stage_s / row["cpu_s"],
    }
    print(
        f"scores {stage_s:.1f} CPU-s, decode pass {row['cpu_s']:.1f} CPU-s: "
        f"{figures['scores_to_decode_pass']:.2f} times"
    )
    held = figures["scores_to_decode_pass"] <= BAR["scores_to_decode_pass"]
    print(json.dumps({"name": "speed/scores", "figures": figures, "bar": BAR, "held": held}))


if __name__ == "__main__":
    main()
