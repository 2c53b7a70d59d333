"""Made sources and clips: plausible columns of `sources` and `clips`, drawn with NumPy at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.speed.made_columns import column, flags, lists, made_table, picked, structs
from curation import tables

CLIPS_PER_VIDEO = 10

_SIZES = [
    *((1920, 1080), (1280, 720), (3840, 2160), (1080, 1920), (2560, 1440)),
    *((1440, 1080), (1080, 1080), (640, 480), (854, 480)),
]
_SIZE_SHARES = [0.39, 0.25, 0.10, 0.10, 0.05, 0.04, 0.03, 0.02, 0.02]
_FPS = [23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94]
_FPS_SHARES = [0.14, 0.12, 0.22, 0.24, 0.12, 0.06, 0.10]
_CODECS = ["h264", "hevc", "vp9", "av1"]
_CODEC_SHARES = [0.72, 0.16, 0.08, 0.04]
_LICENCES = ["CC BY 4.0", "CC BY-SA 4.0", "CC0", "licensed", None]
_LICENCE_SHARES = [0.4, 0.15, 0.15, 0.2, 0.1]
_PUBLISHERS = ["Open Archive", "Harbour Films", "City Library", "A. Rossi & Söhne", "crawl 2024"]
_FAILURES = ["not_media", "unreadable", "no_video", "empty", "timeout"]
FAILED_SHARE, SAME_CONTENT_SHARE, IMAGE_SHARE = 0.02, 0.01, 0.01
HOSTILE_URI = "/footage/<img src=x onerror=alert(1)> & \"quoted\" 'name' №1.mp4"
"""The first source of a workspace is called so: what shows names must show them as text."""

PATH_POOL = 1 << 14
"""Steps of the camera paths that all clips share: as large as real ones, and true of none."""

Random = np.random.Generator
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Footage:
    """What is known of some videos, before anything is judged.

    Attributes:
        ids: `[V]` SHA-256 of each, sorted.
        fps: `[V]`, 0 for an image.
        size: `[V, 2]` width and height, px.
        counts: `[V]` clips of each.
        start_frames: `[N]` of each clip, in the order of the videos and of time.
        num_frames: `[N]` likewise.
        duration_s: `[V]` length of each.
    """

    ids: list[str]
    fps: Floats
    size: Ints
    counts: Ints
    start_frames: Ints
    num_frames: Ints
    duration_s: Floats

    @property
    def is_image(self) -> npt.NDArray[np.bool_]:
        """`[V]` whether each is a still image."""
        found: npt.NDArray[np.bool_] = self.fps == 0
        return found


def draw_footage(random: Random, num_videos: int) -> Footage:
    """Videos with about `CLIPS_PER_VIDEO` clips of 4 to 16 s each, and some images."""
    digits = random.bytes(32 * num_videos).hex()
    ids = sorted(digits[at : at + 64] for at in range(0, len(digits), 64))
    is_image = flags(random, num_videos, IMAGE_SHARE)
    fps = np.where(is_image, 0, random.choice(_FPS, num_videos, p=_FPS_SHARES))
    size = np.array(_SIZES)[random.choice(len(_SIZES), num_videos, p=_SIZE_SHARES)]
    counts = np.where(
        is_image, 1, random.negative_binomial(2, 2 / (2 + CLIPS_PER_VIDEO), num_videos)
    )
    owner = np.repeat(np.arange(num_videos), counts)
    length_s = 4 + 11.9 * random.beta(0.9, 1.5, len(owner))
    gap_s = 0.3 + random.exponential(1.5, len(owner))
    ends = np.cumsum(length_s + gap_s)
    before = np.concatenate([[0.0], ends])[np.cumsum(counts) - counts]
    start_s = 2.0 + ends - length_s - gap_s - before[owner]
    rate = fps[owner]
    start_frames = np.rint(start_s * rate).astype(np.int64)
    num_frames = np.where(rate == 0, 1, np.ceil(length_s * rate)).astype(np.int64)
    tail_s = 1.0 + random.exponential(6.0, num_videos)
    last_s = np.zeros(num_videos)
    np.maximum.at(last_s, owner, start_s + length_s)
    duration_s = np.where(is_image, 0, last_s + tail_s)
    return Footage(ids, fps, size, counts, start_frames, num_frames, duration_s)


def draw_sources(random: Random, footage: Footage, number: int) -> pa.Table:
    """The rows of `tables.SOURCES`: one or two files per video, and some that failed.

    Args:
        random: draws.
        footage: the videos.
        number: of this part of the workspace, for the names of the files.
    """
    videos = len(footage.ids)
    frames = np.rint(footage.duration_s * footage.fps).astype(np.int64)
    width, height = footage.size.T
    bits_per_pixel = random.lognormal(np.log(0.08), 0.6, videos)
    bit_rate = np.rint(bits_per_pixel * footage.fps * width * height).astype(np.int64)
    codec = random.choice(len(_CODECS), videos, p=_CODEC_SHARES)
    is_image, is_hdr = footage.is_image, flags(random, videos, 0.02)
    size_bytes = np.where(is_image, 900_000, bit_rate * footage.duration_s / 8 * 1.06)
    uris = [f"/footage/{number:04d}/{one[:12]}.mp4" for one in footage.ids]
    if number == 0:
        uris[0] = HOSTILE_URI
    ok = {
        "uri": uris,
        "size_bytes": size_bytes.astype(np.int64),
        "modified": [f"17{one % 10**14:014d}-{one % 10**7}" for one in size_bytes.astype(int)],
        "video_id": [tables.video_id(one) for one in footage.ids],
        "sha256": footage.ids,
        "container": picked(["mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"], codec // 2),
        "codec": picked(_CODECS, codec),
        **{"width": width, "height": height, "coded_width": width, "coded_height": height},
        "rotation_deg": np.zeros(videos, np.int16),
        "sample_aspect": np.ones(videos),
        "fps": column(footage.fps, is_image),
        "num_frames": np.where(is_image, 1, frames),
        "duration_s": footage.duration_s,
        "bit_rate": column(bit_rate, is_image),
        "pix_fmt": picked(["yuv420p", "yuv420p10le"], is_hdr),
        "interlaced": flags(random, videos, 0.01),
        "hdr": is_hdr,
        "has_audio": flags(random, videos, 0.85),
        "num_video_streams": np.ones(videos, np.int16),
        "stream_index": np.zeros(videos, np.int16),
        "is_image": is_image,
        "licence": picked(_LICENCES, random.choice(5, videos, p=_LICENCE_SHARES)),
        "source": picked(_PUBLISHERS, random.integers(0, len(_PUBLISHERS), videos)),
        "status": pa.repeat(tables.OK, videos),
        "cpu_s": random.gamma(2.0, 0.02, videos),
    }
    rows = made_table(tables.SOURCES, ok)
    twice = rows.take(np.flatnonzero(flags(random, videos, SAME_CONTENT_SHARE)))
    names = pc.binary_join_element_wise(twice["uri"], "copy.mp4", "-")
    twice = twice.set_column(0, tables.SOURCES.field("uri"), names)
    return pa.concat_tables([rows, twice, _failed(random, videos, number)])


def _failed(random: Random, num_videos: int, number: int) -> pa.Table:
    num = int(random.binomial(num_videos, FAILED_SHARE / (1 - FAILED_SHARE)))
    failed = {
        "uri": [f"/footage/{number:04d}/broken-{one:05d}.mp4" for one in range(num)],
        "size_bytes": random.integers(0, 1 << 20, num),
        "status": pa.repeat(tables.FAILED, num),
        "reason": picked(_FAILURES, random.integers(0, len(_FAILURES), num)),
        "error": pa.repeat("made: the file cannot be read", num),
        "cpu_s": random.gamma(2.0, 0.01, num),
    }
    return made_table(tables.SOURCES, failed)


def accepted_footage(footage: Footage, accepted: npt.NDArray[np.bool_], most: int) -> Footage:
    """The videos that were accepted, with `most` clips in all at most: the last ones have fewer."""
    owner = np.repeat(np.arange(len(footage.ids)), footage.counts)
    counts = np.diff(np.minimum(np.cumsum(footage.counts * accepted), most), prepend=0)
    place = np.arange(len(owner)) - (np.cumsum(footage.counts) - footage.counts)[owner]
    stay = place < counts[owner]
    return Footage(
        [one for one, yes in zip(footage.ids, accepted, strict=True) if yes],
        footage.fps[accepted],
        footage.size[accepted],
        counts[accepted],
        footage.start_frames[stay],
        footage.num_frames[stay],
        footage.duration_s[accepted],
    )


def draw_clips(random: Random, footage: Footage) -> dict[str, pa.Array]:
    """The columns of `tables.CLIP` but `camera_path`, for all clips of accepted videos."""
    owner = np.repeat(np.arange(len(footage.ids)), footage.counts)
    video_ids = pa.array([tables.video_id(one) for one in footage.ids]).take(pa.array(owner))
    fps = np.where(footage.is_image, 1, footage.fps)[owner]
    is_image = footage.is_image[owner]
    starts, lengths = footage.start_frames, footage.num_frames
    texts = (pa.array(numbers).cast(pa.string()) for numbers in (starts, lengths))
    start_s = starts / fps
    end_s = np.where(is_image, 0, (starts + lengths) / fps)
    first = np.diff(owner, prepend=-1) > 0
    last = np.diff(owner, append=-1) != 0
    kinds = random.choice(3, len(owner), p=[0.85, 0.1, 0.05])
    return {
        "clip_id": pc.binary_join_element_wise(video_ids, *texts, "-"),
        "start_frame": pa.array(starts),
        "num_frames": pa.array(lengths, pa.int32()),
        "start_s": pa.array(start_s),
        "end_s": pa.array(end_s),
        "duration_s": pa.array(end_s - start_s),
        "shot_start_s": pa.array(np.maximum(0, start_s - 0.12)),
        "shot_end_s": pa.array(end_s + np.where(is_image, 0, 0.12)),
        "cut_before": picked(["cut", "dissolve", "fade", "start"], np.where(first, 3, kinds)),
        "cut_after": picked(["cut", "dissolve", "fade", "end"], np.where(last, 3, kinds)),
        **_measures(random, footage.size[owner], owner, is_image),
    }


def _measures(
    random: Random, size: Ints, owner: Ints, is_image: npt.NDArray[np.bool_]
) -> dict[str, pa.Array]:
    """The columns of `tables.MEASURES`. Clips of one video are alike."""
    num, videos = len(owner), int(owner[-1]) + 1 if len(owner) else 0
    motion = (random.normal(0, 0.6, videos))[owner] + random.normal(0, 0.7, num)
    vmaf = 3.6 * np.exp(motion)
    vector_px = 2.0 * np.exp(0.9 * motion + random.normal(0, 0.5, num))
    frozen = np.where(flags(random, num, 0.08), random.beta(1.2, 1.2, num), 0)
    slides = np.where(flags(random, num, 0.05), random.beta(2.5, 1.2, num), 0)
    has_bars = flags(random, videos, 0.12)[owner]
    width, height = size.T
    bar = (np.where(has_bars, random.uniform(0.03, 0.13, num), 0) * height).astype(np.int64)
    luma = np.clip(random.normal(0.45, 0.15, num), 0.02, 0.98)
    sway = 0.02 * np.exp(motion)
    moving = {
        "motion_vmaf": vmaf,
        "motion_vector_px": vector_px,
        "motion_coverage": vector_px / (vector_px + 1),
        "camera_pan": random.standard_t(3, num) * sway,
        "camera_tilt": random.standard_t(3, num) * sway * 0.6,
        "camera_zoom": random.standard_t(3, num) * sway * 0.4,
        "camera_roll": random.standard_t(3, num) * sway * 8,
        "camera_residual": random.gamma(1.2, 0.02, num),
        "camera_shake": random.lognormal(np.log(0.002), 1.2, num),
        "shots_per_s": random.gamma(0.4, 0.35, num),
        "frozen_share": frozen,
        "repeated_share": np.where(flags(random, num, 0.2), random.beta(1, 12, num), 0),
        "slideshow_share": slides,
    }
    # As in real footage: a codec without vectors, and a path that cannot be smoothed.
    moving["camera_shake"][flags(random, num, 0.001)] = np.nan
    no_vectors = is_image | flags(random, num, 0.005)
    still = {
        "sharpness": random.beta(6, 2.5, num),
        "luma_mean": luma,
        "dark_share": random.beta(0.5, 6, num) * (1 - luma),
        "bright_share": random.beta(0.4, 12, num) * luma,
        "contrast": np.clip(random.normal(0.2, 0.06, num), 0, 0.5),
        "colourfulness": random.gamma(3.0, 13.0, num),
        "border_share": 2 * bar / height,
        "content_x": np.zeros(num),
        "content_y": bar,
        "content_width": width,
        "content_height": height - 2 * bar,
    }
    kinds = {field.name: field.type for field in tables.MEASURES}
    made = {
        name: column(values, no_vectors if "vector" in name else is_image, kinds[name])
        for name, values in moving.items()
    }
    made["motion_vector_source"] = pa.array(np.full(num, "codec", object), mask=no_vectors)
    made |= {name: column(values, None, kinds[name]) for name, values in still.items()}
    return {field.name: made[field.name] for field in tables.MEASURES}


def pass_rows(random: Random, footage: Footage, clips: dict[str, pa.Array]) -> pa.Table:
    """The rows of `tables.CLIPS`: the decode pass of each accepted video, in the order of ids.

    Camera paths and frames are empty, see `with_bulk`.

    Args:
        random: draws.
        footage: the accepted videos; of those without clips, some have failed.
        clips: columns of `draw_clips`.
    """
    videos = len(footage.ids)
    failed = (footage.counts == 0) & flags(random, videos, 0.15)
    kind = tables.CLIPS.field("cuts").type
    cut = {
        "time_s": clips["shot_start_s"],
        "kind": picked(["cut"], np.zeros(len(clips["clip_id"]))),
    }
    decoded = np.maximum(1, np.rint(footage.duration_s * footage.fps)).astype(np.int64)
    columns = {
        "video_id": [tables.video_id(one) for one in footage.ids],
        "cuts": lists(structs(kind.value_type, cut), footage.counts, failed),
        "decoded_frames": column(decoded, failed),
        "decode_failures": column(np.zeros(videos, np.int64), failed),
        "decoded_s": column(footage.duration_s, failed),
        "peak_memory_bytes": column(random.integers(1 << 28, 1 << 30, videos), failed),
        "status": picked([tables.OK, tables.FAILED], failed),
        "reason": picked([None, "timeout"], failed),
        "error": picked([None, "made: decoding passed its time limit"], failed),
        "cpu_s": 0.05 * footage.duration_s + 0.2,
    }
    rows = made_table(tables.CLIPS, columns)
    num = len(clips["clip_id"])
    paths, frames = (
        lists(pa.nulls(0, kind.value_type), np.zeros(num, int))
        for kind in (
            tables.CLIP.field("camera_path").type,
            tables.CLIPS.field("frames").type.value_type,
        )
    )
    return with_bulk(rows, footage.counts, clips, paths, frames)


def with_bulk(
    rows: pa.Table, counts: Ints, clips: dict[str, pa.Array], paths: pa.Array, frames: pa.Array
) -> pa.Table:
    """The rows of `pass_rows` with what is large in them.

    Args:
        rows: as `pass_rows` returns them.
        counts: clips of each row.
        clips: columns of `draw_clips`.
        paths: `camera_path` of each clip.
        frames: the stored frames of each clip.
    """
    failed = np.asarray(pc.not_equal(rows["status"], tables.OK))
    found = {"clips": structs(tables.CLIP, {**clips, "camera_path": paths}), "frames": frames}
    for name, values in found.items():
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(name), lists(values, counts, failed))
    return rows


def draw_paths(random: Random, durations_s: Floats, hz: float) -> pa.Array:
    """`camera_path` of clips: `hz` steps per second, out of one pool of `PATH_POOL` steps.

    Their values have few digits, so that they compress about as well as real ones.
    """
    steps = np.rint(durations_s * hz).astype(np.int64)
    pool = {
        field.name: np.round(random.standard_t(3, PATH_POOL) * 0.05, 3).astype(np.float32)
        for field in tables.CAMERA_STEP
    }
    pool["time_s"] = (np.arange(PATH_POOL) % 64 / max(hz, 1)).astype(np.float32)
    step = structs(tables.CAMERA_STEP, {name: pa.array(values) for name, values in pool.items()})
    needed = -(-int(steps.sum()) // PATH_POOL)
    every = pa.concat_arrays([step] * max(1, needed)).slice(0, int(steps.sum()))
    return lists(every, steps)
