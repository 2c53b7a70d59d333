"""Made footage with known truth: a camera that moves over a still picture, encoded by x264."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.codec.context import Flags2

from curation.media.planes import views
from curation.signals.camera import CameraStep

FPS = 24
WIDTH, HEIGHT = 1280, 720

Picture = npt.NDArray[np.uint8]
"""BGR, `[H, W, 3]`."""

Luma = npt.NDArray[np.uint8]
"""`[H, W]`."""


class CameraPath(NamedTuple):
    """Where the camera is at each frame, `[T]` each; its speed is what `CameraStep` tells."""

    x: npt.NDArray[np.float64]
    """To the right, frame widths."""

    y: npt.NDArray[np.float64]
    """Upwards, frame heights."""

    zoom: npt.NDArray[np.float64]
    """Natural log of the scale, positive is in."""

    roll: npt.NDArray[np.float64]
    """Clockwise, degrees."""


class Decoded(NamedTuple):
    """A decoded frame."""

    luma: Luma

    small: Luma
    """As the decode pass compares frames."""

    kind: int
    """I, P or B, as PyAV counts them."""

    vectors: npt.NDArray[np.void] | None
    """The codec's motion vectors."""


def steady(
    pan: float = 0.0, tilt: float = 0.0, zoom: float = 0.0, roll: float = 0.0, seconds: float = 3.0
) -> CameraPath:
    """A camera at constant speed, in the units of `CameraStep`, at 24 frames a second."""
    times = np.arange(round(seconds * FPS) + 1) / FPS
    return CameraPath(pan * times, tilt * times, zoom * times, roll * times)


def eased(path: CameraPath) -> CameraPath:
    """The same way, starting and stopping gently."""
    along = (1 - np.cos(np.linspace(0, np.pi, len(path.x)))) / 2
    return CameraPath(*(axis[-1] * along for axis in path))


def shaken(path: CameraPath, rms: float, generator: np.random.Generator) -> CameraPath:
    """The path with a shake of 1.5 to 8 Hz, falling with frequency as a hand's does.

    Args:
        path: where the camera wants to be.
        rms: of the distance to where it is, frame heights.
        generator: for the shake.
    """
    frequencies = np.fft.rfftfreq(len(path.x), 1 / FPS)
    power = np.where((frequencies >= 1.5) & (frequencies <= 8), 1 / np.maximum(frequencies, 1), 0)
    random = generator.standard_normal((2, len(power))) + 1j * generator.standard_normal(
        (2, len(power))
    )
    hand = np.fft.irfft(random * power, len(path.x), axis=1)
    hand *= rms / np.sqrt(np.mean(np.sum(hand**2, axis=0)))
    return path._replace(x=path.x + hand[0] * HEIGHT / WIDTH, y=path.y + hand[1])


def true_steps(path: CameraPath, frames: Sequence[int]) -> list[CameraStep]:
    """The camera between the named frames, as a perfect fit would measure it."""
    steps = []
    for first, last in pairwise(frames):
        seconds = (last - first) / FPS
        x, y, zoom, roll = ((axis[last] - axis[first]) / seconds for axis in path)
        # Zoomed in, the same way across the picture is more of the frame.
        scale = np.exp(path.zoom[last])
        turn = np.radians(path.roll[last])
        across, up = x * WIDTH * scale, y * HEIGHT * scale
        pan = (across * np.cos(turn) - up * np.sin(turn)) / WIDTH
        tilt = (across * np.sin(turn) + up * np.cos(turn)) / HEIGHT
        steps.append(CameraStep((first + last) / 2 / FPS, pan, tilt, zoom, roll, 0.0, 1.0))
    return steps


def true_length_px(path: CameraPath, first: int, last: int) -> float:
    """Mean length of the true motion of the picture's points, px per frame."""
    x, y = np.meshgrid(np.arange(8, WIDTH, 16), np.arange(8, HEIGHT, 16))
    points = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    before, after = (_matrix(path, frame, (0.0, 0.0)) for frame in (first, last))
    seen_at = np.linalg.solve(after[:, :2], before @ points - after[:, 2:])
    return float(np.mean(np.hypot(*(seen_at - points[:2])))) / (last - first)


def texture(seed: int) -> Picture:
    """Noise of many scales and about 150 sharp shapes, 2400x1600."""
    generator = np.random.default_rng(seed)
    height, width = 1600, 2400
    total = np.zeros((height, width), np.float32)
    for scale in (4, 8, 16, 32, 64, 128, 256, 512):
        noise = generator.standard_normal((height // scale + 2, width // scale + 2))
        total += scale**0.8 * np.asarray(
            cv2.resize(noise.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        )
    grey = np.clip((total - total.mean()) / total.std() * 45 + 120, 0, 255).astype(np.uint8)
    picture = np.dstack([grey, np.roll(grey, 77, 1), np.roll(grey, 99, 0)])
    for _ in range(150):
        colour = tuple(int(value) for value in generator.integers(0, 256, 3))
        x, y, across, down = (
            int(v) for v in generator.integers([0, 0, 20, 20], [width, height, 250, 250])
        )
        if generator.random() < 0.5:
            cv2.rectangle(picture, (x, y), (x + across, y + down), colour, -1)
        else:
            cv2.ellipse(picture, (x, y), (across // 2, down // 2), 0, 0, 360, colour, -1)
    return picture


def pictures(footage: Path | None, num_real: int = 4) -> dict[str, Picture]:
    """Two made pictures, and frames of up to `num_real` videos of a folder, all 2400 px wide."""
    found = {"texture 1": texture(1), "texture 2": texture(2)}
    paths = sorted(p for p in footage.iterdir() if p.suffix in {".mp4", ".mkv"}) if footage else []
    for path in paths[:: max(1, len(paths) // num_real)][:num_real]:
        with av.open(str(path)) as container:
            picture = next(islice(container.decode(video=0), 30, None)).to_ndarray(format="bgr24")
        rows = round(2400 * picture.shape[0] / picture.shape[1])
        large = cv2.resize(picture, (2400, rows), interpolation=cv2.INTER_CUBIC)
        found[path.stem[:20]] = np.asarray(large, np.uint8)
    return found


def rendered(picture: Picture, path: CameraPath) -> Iterator[Picture]:
    """What the camera sees of the picture from its middle, `[HEIGHT, WIDTH, 3]` a frame."""
    middle = (picture.shape[1] / 2, picture.shape[0] / 2)
    for frame in range(len(path.x)):
        seen = cv2.warpAffine(
            picture,
            _matrix(path, frame, middle),
            (WIDTH, HEIGHT),
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        yield np.asarray(seen, np.uint8)


def with_subject(frames: Iterable[Picture], share: float, subject: Picture) -> Iterator[Picture]:
    """The frames with an ellipse that crosses them, 24 px a frame, and covers `share` of each."""
    half = (round(WIDTH * (share / np.pi) ** 0.5), round(HEIGHT * (share / np.pi) ** 0.5))
    mask = np.zeros((2 * half[1], 2 * half[0], 1), np.uint8)
    cv2.ellipse(mask, half, half, 0, 0, 360, 1, -1)
    patch = subject[: 2 * half[1], : 2 * half[0]]
    for index, frame in enumerate(frames):
        x = index * 24 % (WIDTH - 2 * half[0])
        place = frame[HEIGHT // 2 - half[1] : HEIGHT // 2 + half[1], x : x + 2 * half[0]]
        np.copyto(place, patch, where=mask.astype(bool))
        yield frame


def encode(
    frames: Iterable[Picture],
    path: Path,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
) -> Path:
    """Writes a video of 24 frames a second, by default as x264 does if nothing is asked of it."""
    with av.open(str(path), "w") as container:
        stream = None
        for frame in frames:
            if stream is None:
                stream = container.add_stream(codec, rate=FPS, options=options or {})
                stream.height, stream.width = frame.shape[:2]
                stream.pix_fmt = "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        assert stream is not None, "no frames"
        container.mux(stream.encode())
    return path


def decode(path: Path, num_frames: int | None = None) -> Iterator[Decoded]:
    """The frames of a video in presentation order, with the codec's vectors."""
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.flags2 |= Flags2.export_mvs
        for index, frame in enumerate(container.decode(video=0)):
            if index == num_frames:
                return
            plane = frame.planes[0]
            pixels = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
            exported = frame.side_data.get("MOTION_VECTORS")
            vectors = None if exported is None else exported.to_ndarray()
            luma = pixels[: frame.height, : frame.width].copy()
            yield Decoded(luma, views(frame).small, frame.pict_type, vectors)


def _matrix(path: CameraPath, frame: int, middle: tuple[float, float]) -> npt.NDArray[np.float64]:
    """`[2, 3]` from a pixel of the frame to a point of the picture."""
    turn = np.radians(path.roll[frame])
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    axes = axes * np.exp(-path.zoom[frame])
    centre = np.add(middle, (path.x[frame] * WIDTH, -path.y[frame] * HEIGHT))
    offset = centre - axes @ [(WIDTH - 1) / 2, (HEIGHT - 1) / 2]
    return np.column_stack([axes, offset])
