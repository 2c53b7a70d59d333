"""Clips that a computer draws: patterns that move, each in its own way."""

import numpy as np

from curation.media.errors import MediaError


class MovingPatterns:
    """Waves that drift, nearly grey as most things are, and a square that moves."""

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
        video = np.zeros((*t.shape, 3))
        for _ in range(4):
            speed, *waves = draw.normal(0, (0.15, 0.3, 0.3))
            phase = t * speed + y * waves[0] + x * waves[1] + draw.uniform(0, 6.3)
            video += np.sin(phase)[..., None] * draw.normal(0, 0.25) * draw.normal(1, 0.2, 3)
        speeds = draw.normal(0, 0.4, 2)
        top, left = (
            start + speed * t for start, speed in zip(draw.uniform(0, 28, 2), speeds, strict=True)
        )
        inside = (abs(y - top - 6) < 6) & (abs(x - left - 6) < 6)
        video[inside] = draw.uniform(-1, 1) * draw.normal(1, 0.2, 3)
        return np.clip(127.5 + 127.5 * video, 0, 255).astype(np.uint8)
