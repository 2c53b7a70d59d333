"""What the decode pass costs beside bare decoding, and what it needs of time and memory.

Both run in the same sandbox, with the same decoder on one thread, and count the CPU-seconds of
their child process. What the pass adds hardly depends on what a frame costs to decode, so the
ratio does: `--video FILE` measures other files than Big Buck Bunny (0.5 Mb/s, as cheap as 720p
gets) and a minute of it enlarged to 1080p as x264 encodes by default (2 Mb/s).
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from operator import truediv
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pyarrow as pa

from curation.clips import ClipsSettings, ClipsStage
from curation.ingest import content_hash
from curation.media.decode import VideoReader
from curation.media.probe import probe
from curation.media.sandbox import Limits, Sandbox
from pipelines.assets import cache_folder, fetch

BAR = {"ratio_720p": 1.6, "ratio_1080p": 1.3, "peak_4k_bytes": 1 << 30}


def decode(path: str, stream_index: int) -> bytes:
    """The number of frames: bare decoding, in the sandbox."""
    with VideoReader(path, stream_index) as reader:
        return str(sum(1 for _ in reader.frames())).encode()


def row_of(path: Path) -> dict[str, Any]:
    """What the clips stage takes for this file."""
    columns = json.loads(probe(str(path), 1 << 28, 1e6, 1 << 40))
    row = {"video_id": path.stem, "uris": [str(path)], "sha256": content_hash(path), **columns}
    return {name: row[name] for name in ClipsStage.reads}


def run_stage(paths: list[Path], settings: ClipsSettings | None = None) -> list[dict[str, Any]]:
    """The rows of the clips stage, without frames."""
    stage = ClipsStage(settings or ClipsSettings(), Limits(), cache_folder() / "models")
    stage.setup()
    rows = pa.Table.from_pylist([row_of(path) for path in paths])
    return stage(rows).drop(["frames"]).to_pylist()


def ratio(path: Path, repeats: int) -> dict[str, float]:
    """CPU-seconds of decoding and of the stage, in turn: the least of each, the median ratio.

    The machine's speed drifts, and a pair of runs drifts less than the best of all runs.
    """
    decoding, staging, frames = [], [], 0
    index = row_of(path)["stream_index"]
    with Sandbox(Limits()) as sandbox:
        for _ in range(repeats):
            bare = sandbox.run(
                "benchmarks.speed.analyse:decode", path=str(path), stream_index=index
            )
            assert bare.result is not None, bare.error
            frames = int(bare.result)
            decoding.append(bare.cpu_s)
            (row,) = run_stage([path])
            assert row["decoded_frames"] == frames, row["error"]
            staging.append(row["cpu_s"])
    return {
        "frames": frames,
        "decode_cpu_s": min(decoding),
        "stage_cpu_s": min(staging),
        "ratio": statistics.median(map(truediv, staging, decoding)),
    }


def scenedetect_cpu_s(path: Path) -> float:
    """CPU-seconds of PySceneDetect's command on the same file, for cuts alone."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "scenedetect", "-q", "-i", str(path), "detect-adaptive"]
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def frames_per_s(path: Path, workers: int) -> float:
    """Frames by the clock, each worker on a copy of the file of its own."""
    start = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        done = list(pool.map(run_stage, [[path]] * workers))
    frames = sum(row["decoded_frames"] for rows in done for row in rows)
    return frames / (time.monotonic() - start)


def made(path: Path, *arguments: str) -> Path:
    """The file that FFmpeg makes of these arguments."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", *arguments]
    encode = ("-an", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    subprocess.run([*command, *encode, str(path)], check=True)
    return path


def main() -> None:
    """Prints a table and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, action="append", help="measure this; repeatable")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for path in arguments.video or []:
            print(path.name, {k: round(v, 3) for k, v in ratio(path, arguments.repeats).items()})
        film = fetch("demo", cache_folder() / "footage")[0]
        part = ("-ss", "120", "-t", "60", "-i", str(film))
        large = made(
            scratch / "1080p.mp4", *part, "-vf", "scale=1920:1080:flags=lanczos", "-crf", "20"
        )
        for label, path in (("720p", film), ("1080p", large)):
            found = ratio(path, arguments.repeats)
            figures |= {f"{key}_{label}": value for key, value in found.items()}
        figures["scenedetect_cpu_s_720p"] = scenedetect_cpu_s(film)
        figures["frames_per_s_1_worker"] = frames_per_s(large, 1)
        figures["frames_per_s_2_workers"] = frames_per_s(large, 2)
        for seconds in (5, 20):
            four_k = f"testsrc2=size=3840x2160:rate=25:duration={seconds}"
            path = made(scratch / f"4k-{seconds}.mp4", "-f", "lavfi", "-i", four_k)
            figures[f"peak_4k_{seconds}s_bytes"] = run_stage([path])[0]["peak_memory_bytes"]
    for key, value in figures.items():
        print(f"{key:<26} {value:>16,.3f}")
    held = (
        figures["ratio_720p"] <= BAR["ratio_720p"]
        and figures["ratio_1080p"] <= BAR["ratio_1080p"]
        and figures["peak_4k_20s_bytes"] <= BAR["peak_4k_bytes"]
    )
    print(json.dumps({"name": "speed/analyse", "figures": figures, "bar": BAR, "held": held}))


if __name__ == "__main__":
    main()
