"""Videos that say in every frame, as a bar code, which frame it is."""

import io
from fractions import Fraction

import av
import numpy as np

BITS = 10
WIDTH, HEIGHT = 320, 180


def numbered(path, times, rate=24, **options):
    """A video of 320x180 with a keyframe every 48 frames; `times` of its frames in 1/1000 s."""
    columns = np.arange(WIDTH) * BITS // WIDTH
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=rate, options={"g": "48", "bf": "3", "preset": "veryfast"} | options
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time in enumerate(times):
            grey = np.where(number >> columns & 1, 220, 30).astype(np.uint8)
            picture = np.repeat(np.tile(grey, (HEIGHT, 1))[..., None], 3, axis=2)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return str(path)


def even(num_frames, fps):
    """The times of frames at a constant rate, in 1/1000 s."""
    return [round(1000 * number / fps) for number in range(num_frames)]


def decoded(sample):
    """The frames of an encoded video."""
    with av.open(io.BytesIO(sample)) as container:
        return [*container.decode(video=0)]


def number_of(frame):
    """What the bar code of a frame says, at any size."""
    luma = frame.to_ndarray(format="gray")
    columns = [int((bit + 0.5) * luma.shape[1] / BITS) for bit in range(BITS)]
    return sum((luma[:, column].mean() > 128) << bit for bit, column in enumerate(columns))


def numbers(sample):
    """What the bar codes of an encoded video say."""
    return [number_of(frame) for frame in decoded(sample)]
