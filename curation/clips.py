"""The clips stage: one confined decode pass per video gives its shots, clips and measures."""

import tempfile
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.analysis import DecodePass, FrameSettings, MeasureSettings, Series, Still
from curation.detectors import ShotSettings, Transition
from curation.gradual import with_network
from curation.ingest import content_hash
from curation.measures import borders, measures
from curation.media.decode import VideoReader
from curation.media.errors import MediaError
from curation.media.sandbox import Limits, Sandbox
from curation.models.transnet import check_transnet
from curation.settings import Settings, fingerprint
from curation.shots import shots, transitions
from curation.small_frames import SmallFrames
from curation.stage import Stage
from curation.storage import StorageError, local_copy
from curation.tables import CLIPS, OK, clip_id, failed_row
from curation.windows import Window, WindowSettings, windows


class ClipsSettings(Settings):
    """Everything that decides which clips a video has, and what is kept of them."""

    shots: ShotSettings = ShotSettings()
    windows: WindowSettings = WindowSettings()
    measures: MeasureSettings = MeasureSettings()
    frames: FrameSettings = FrameSettings()


class ClipsStage(Stage):
    """Decodes each video once, in a confined child process."""

    name: ClassVar[str] = "clips"
    key: ClassVar[str] = "video_id"
    version: ClassVar[int] = 4
    schema: ClassVar[pa.Schema] = CLIPS

    reads: ClassVar[list[str]] = [
        *("video_id", "sha256", "uris"),
        *("stream_index", "width", "height", "rotation_deg"),
    ]
    """The columns of `videos` that it takes."""

    def __init__(
        self, settings: ClipsSettings, limits: Limits, weights: Path | None = None
    ) -> None:
        """Names what to do; `setup` prepares the worker.

        Args:
            settings: what decides on the clips.
            limits: what one video may use.
            weights: the folder of the model files, for `shots.transnet`.
        """
        self._settings, self._limits, self._weights = settings, limits, weights
        self._network: str | None = None

    @property
    def fingerprint(self) -> str:
        """Changes with the version and with every key of `clips`."""
        return fingerprint(self.name, self.version, self._settings)

    def setup(self) -> None:
        """Prepares the confined helper process, which imports the libraries once.

        Raises:
            ValueError: `shots.transnet` is on, and its weights or the package torch are missing.
        """
        if self._settings.shots.transnet is not None:
            assert self._weights is not None, "shots.transnet needs the folder of its weights"
            self._network = str(check_transnet(self._weights).absolute())
        self._sandbox = Sandbox(self._limits, preload=["torch"] if self._network else [])

    def __call__(self, batch: pa.Table) -> pa.Table:
        """One row per video: its clips, or why there are none."""
        return pa.concat_tables([self._row(row) for row in batch.to_pylist()])

    def _row(self, row: dict[str, Any]) -> pa.Table:
        key = {"video_id": row["video_id"]}
        scratch = Path(tempfile.gettempdir())
        problem = ""
        for uri in row["uris"]:
            try:
                with local_copy(uri, scratch) as path:
                    if content_hash(path) == row["sha256"]:
                        return self._analysed(key, row, path)
                    problem = f"{uri} no longer has the content it had when it was probed"
            except (*StorageError, MediaError) as error:
                problem = f"{uri}: {error}"
        return failed_row(CLIPS, key, "changed", problem)

    def _analysed(self, key: dict[str, str], row: dict[str, Any], path: Path) -> pa.Table:
        outcome = self._sandbox.run(
            "curation.clips:analyse",
            path=str(path),
            video={
                name: row[name]
                for name in ("video_id", "stream_index", "width", "height", "rotation_deg")
            },
            settings=self._settings.model_dump(mode="json"),
            network=self._network,
        )
        if outcome.result is None:
            assert outcome.reason is not None
            return failed_row(CLIPS, key, outcome.reason, outcome.error or "", outcome.cpu_s)
        table = pa.ipc.open_stream(outcome.result).read_all()
        costs = {"peak_memory_bytes": outcome.peak_memory_bytes, "cpu_s": outcome.cpu_s}
        for name, value in costs.items():
            index = CLIPS.get_field_index(name)
            table = table.set_column(
                index, CLIPS.field(name), pa.array([value], CLIPS.field(name).type)
            )
        return table


def analyse(
    path: str, video: dict[str, Any], settings: dict[str, Any], network: str | None = None
) -> bytes:
    """The row of one video as an Arrow stream; runs in the sandbox.

    Args:
        path: a local file.
        video: `video_id`, `stream_index`, `width`, `height` and `rotation_deg` as the probe found
            them.
        settings: a `ClipsSettings` as JSON.
        network: the file of TransNet V2's weights, where the settings want it.

    Raises:
        MediaError: not one frame could be decoded.
    """
    chosen = ClipsSettings.model_validate(settings)
    # Bit-equal results on any machine, and no threads beside the one that the engine counts on.
    cv2.setNumThreads(1)
    with (
        tempfile.TemporaryFile() as spool,
        SmallFrames() as small_frames,
        VideoReader(path, video["stream_index"], motion_vectors=True) as reader,
    ):
        decode_pass = DecodePass(
            video["width"],
            video["height"],
            video["rotation_deg"],
            reader.frame_s,
            (chosen.shots, chosen.measures, chosen.frames),
            chosen.windows.min_s / chosen.frames.count,
            spool,
            small_frames if network is not None else None,
        )
        for frame in reader.frames():
            decode_pass.add(frame)
        series = decode_pass.finish()
        if not series.times_s:
            raise MediaError("no_frames", "not one frame could be decoded")
        row = {
            "video_id": video["video_id"],
            "decoded_frames": len(series.times_s),
            "decode_failures": reader.failures,
            "decoded_s": reader.end_s,
            "status": OK,
        }
        boundaries = _boundaries(series, reader.frame_s, chosen, small_frames, network)
        row |= _clips(video, series, reader.end_s, boundaries, chosen, spool)
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist([row], schema=CLIPS)
    with pa.ipc.new_stream(sink, CLIPS) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _boundaries(
    series: Series,
    frame_s: float,
    settings: ClipsSettings,
    small_frames: SmallFrames,
    network: str | None,
) -> list[Transition]:
    content = np.asarray(series.content, np.float32)
    brightness = np.asarray(series.brightness, np.float32)
    found = transitions(content, brightness, series.jumps, 1.0 / frame_s, settings.shots)
    if network is None or settings.shots.transnet is None or content.size == 1:
        return found
    return with_network(
        found,
        small_frames,
        brightness,
        settings.shots.transnet,
        Path(network),
        1.0 / frame_s,
        settings.windows.min_shot_s,
    )


def _clips(
    video: dict[str, Any],
    series: Series,
    end_s: float,
    boundaries: list[Transition],
    settings: ClipsSettings,
    spool: BinaryIO,
) -> dict[str, Any]:
    times_s = np.asarray(series.times_s)
    found = windows(
        shots(boundaries, times_s.size), times_s, end_s, video["video_id"], settings.windows
    )
    edges_s = np.append(times_s, end_s)
    display_px = (video["width"], video["height"])
    clips, frames = [], []
    for window in found:
        pictures = _pictures(window, edges_s, series, settings.frames, spool)
        clip = _bounds(video["video_id"], window, edges_s)
        clip |= measures(window, edges_s, series, settings.shots, display_px)
        if pictures:
            clip |= borders([picture["jpeg"] for picture in pictures], display_px)
        clips.append(clip)
        frames.append(pictures)
    ends = [boundary for boundary in boundaries if boundary.end < times_s.size]
    cuts = [{"time_s": edges_s[end.end], "kind": end.kind} for end in ends]
    return {"clips": clips, "frames": frames, "cuts": cuts}


def _bounds(video: str, window: Window, edges_s: npt.NDArray[np.float64]) -> dict[str, Any]:
    start_s, end_s = float(edges_s[window.start]), float(edges_s[window.end])
    is_image = edges_s.size == 2
    return {
        "clip_id": clip_id(video, window.start, window.end - window.start),
        "start_frame": window.start,
        "num_frames": window.end - window.start,
        "start_s": start_s,
        "end_s": end_s,
        "duration_s": 0.0 if is_image else end_s - start_s,
        "shot_start_s": float(edges_s[window.shot.start]),
        "shot_end_s": float(edges_s[window.shot.end]),
        "cut_before": window.shot.before,
        "cut_after": window.shot.after,
    }


def _pictures(
    window: Window,
    edges_s: npt.NDArray[np.float64],
    series: Series,
    settings: FrameSettings,
    spool: BinaryIO,
) -> list[dict[str, Any]]:
    """The pictures taken in the window that lie nearest to `count` even places, in time order."""
    inside = [still for still in series.stills if window.start <= still.frame < window.end]
    start_s, length_s = edges_s[window.start], edges_s[window.end] - edges_s[window.start]
    chosen: dict[int, Still] = {}
    for place in (np.arange(settings.count) + 0.5) / settings.count:
        left = [still for still in inside if still.frame not in chosen]
        if left:
            wanted_s = start_s + place * length_s
            nearest = min(left, key=lambda still: abs(edges_s[still.frame] - wanted_s))
            chosen[nearest.frame] = nearest
    pictures = []
    for still in (chosen[frame] for frame in sorted(chosen)):
        spool.seek(still.offset)
        picture = {"time_s": float(edges_s[still.frame]), "jpeg": spool.read(still.size_bytes)}
        pictures.append(picture)
    return pictures
