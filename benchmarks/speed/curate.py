"""The whole way to 256 px shards on Big Buck Bunny: wall and CPU by stage, against bare decoding.

Learned models are left out: `benchmarks.speed.scores` and `benchmarks.accuracy.cuts` have them.

With `--data-juicer PYTHON` (the interpreter of an environment that has Data-Juicer), the same film
goes through its `video_split_by_scene_mapper` and `video_motion_score_filter` in the same run: the
splitting and one motion score, where ours is all measures and the encoded samples. The ratios are
told only then; the bar is on CPU-seconds, which a busy machine moves least. Where Data-Juicer dies
(its motion score took more than 20 GB for this film), they are of what it used until then.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imageio_ffmpeg

from benchmarks.speed.analyse import row_of
from curation.media.sandbox import Limits, Sandbox
from pipelines.assets import cache_folder, fetch

BAR = {"data_juicer_ratio": 5.0}

WITHOUT_MODELS = (
    "clips.shots.transnet=null",
    *("scores.copy_detection=null", "scores.safety=null", "scores.text=null"),
    *("scores.quality=null", "scores.concept=null"),
    *("selection.duplicates=null", "selection.concepts=null", "subsets.256p.resampling=null"),
    *("subsets.256p.rules.text_share.max=null", "subsets.256p.rules.text_score.max=null"),
)

PROCESS = """
project_name: benchmark
dataset_path: {dataset}
export_path: {folder}/out/out.jsonl
np: {workers}
process:
  - video_split_by_scene_mapper:
      detector: ContentDetector
      threshold: 27.0
  - video_motion_score_filter:
      sampling_fps: 2
"""


def decode_cpu_s(path: Path) -> float:
    """CPU-seconds of bare decoding in the sandbox."""
    with Sandbox(Limits()) as sandbox:
        index = row_of(path)["stream_index"]
        function = "benchmarks.speed.analyse:decode"
        return sandbox.run(function, path=str(path), stream_index=index).cpu_s


def moviola(path: Path, workspace: Path) -> tuple[float, dict[str, float]]:
    """Seconds by the clock, and the figures of each stage."""
    start = time.monotonic()
    command = [sys.executable, "-m", "pipelines.cli", "curate", "demo", "--input", str(path)]
    command += ["--workspace", str(workspace), "--json", "--progress", "json"]
    for setting in WITHOUT_MODELS:
        command += ["--set", setting]
    before = children_cpu_s()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    wall_s = time.monotonic() - start
    figures = {"driver_cpu_s": children_cpu_s() - before}
    for stage in json.loads(done.stdout)["stages"]:
        name = stage["stage"].replace("/", "_")
        figures |= {f"{name}_wall_s": stage["wall_s"], f"{name}_cpu_s": stage["cpu_s"]}
    return wall_s, figures


def children_cpu_s() -> float:
    """CPU-seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def data_juicer(python: Path, path: Path, folder: Path) -> dict[str, float]:
    """Seconds by the clock and CPU-seconds of its two operators, on a copy of the film."""
    film = Path(shutil.copy(path, folder))
    dataset = folder / "dataset.jsonl"
    sample = {"videos": [str(film)], "text": "<__dj__video>"}
    dataset.write_text(json.dumps(sample) + "\n")
    config = folder / "process.yaml"
    config.write_text(PROCESS.format(dataset=dataset, folder=folder, workers=2))
    before, start = children_cpu_s(), time.monotonic()
    command = [str(python.parent / "dj-process"), "--config", str(config)]
    # It splits by the command ffmpeg, and without one goes on as if there was nothing to split.
    (folder / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    path_of_commands = f"{folder}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PATH": path_of_commands}
    )
    if done.returncode:
        print(f"Data-Juicer did not finish: {done.stderr.strip().splitlines()[-1:]}")
    return {
        "data_juicer_wall_s": time.monotonic() - start,
        "data_juicer_cpu_s": children_cpu_s() - before,
        "data_juicer_finished": float(done.returncode == 0),
    }


def main() -> None:
    """Prints a table and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-juicer", type=Path, help="python of an environment that has it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film = fetch("demo", cache_folder() / "footage")[0]
        figures = {"decode_cpu_s": decode_cpu_s(film)}
        wall_s, stages = moviola(film, folder / "workspace")
        figures |= {"wall_s": wall_s, **stages}
        figures["cpu_s"] = sum(value for key, value in stages.items() if key.endswith("_cpu_s"))
        figures["cpu_over_decode"] = figures["cpu_s"] / figures["decode_cpu_s"]
        if arguments.data_juicer:
            figures |= data_juicer(arguments.data_juicer, film, folder)
            figures["data_juicer_wall_ratio"] = figures["data_juicer_wall_s"] / wall_s
            figures["data_juicer_ratio"] = figures["data_juicer_cpu_s"] / figures["cpu_s"]
    for key, value in figures.items():
        print(f"{key:<24} {value:>10,.2f}")
    held = figures.get("data_juicer_ratio", float("inf")) >= BAR["data_juicer_ratio"]
    print(json.dumps({"name": "speed/curate", "figures": figures, "bar": BAR, "held": held}))


if __name__ == "__main__":
    main()
