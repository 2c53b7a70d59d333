"""Clips that a computer draws: things with edges that move, each in its own way."""

import numpy as np

from curation.media.errors import MediaError


class MovingPatterns:
    """A ramp of light, and squares, nearly grey as most things are, that move before it."""

    def __init__(self, count=24, frames=24, size=40, videos=None, broken=()):
        self.clip_ids = [f"clip-{number}" for number in range(count)]
        self.video_ids = [f"video-{number % (videos or count)}" for number in range(count)]
        self.num_frames = [frames] * count
        self._size, self._broken = size, set(broken)
        self.reads = []

    def read(self, number):
        self.reads.append(number)
        if number in self._broken:
            raise MediaError("frames", f"clip {number} is broken")
        draw = np.random.default_rng(number)
        t, y, x = np.meshgrid(
            np.arange(self.num_frames[number]), *[np.arange(self._size)] * 2, indexing="ij"
        )
        slopes = draw.normal(0, 0.01, 2)
        video = (y * slopes[0] + x * slopes[1])[..., None] * draw.normal(1, 0.1, 3)
        for _ in range(4):
            starts, speeds = draw.uniform(-6, self._size, 2), draw.normal(0, 0.4, 2)
            top, left = (start + speed * t for start, speed in zip(starts, speeds, strict=True))
            inside = (abs(y - top) < 7) & (abs(x - left) < 7)
            video[inside] = draw.uniform(-0.8, 0.8) * draw.normal(1, 0.2, 3)
        return np.clip(127.5 + 127.5 * video, 0, 255).astype(np.uint8)
