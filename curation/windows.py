"""Which stretches of a shot become clips."""

import hashlib
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from curation.settings import Settings
from curation.shots import Shot


class WindowSettings(Settings):
    """How clips are taken from shots. No clip ever reaches across a shot boundary."""

    mode: Literal["cover", "random"] = "cover"
    """`cover`: consecutive clips of `max_s` over the whole shot; a rest of half of `min_s` or more
    that is no clip of its own evens out the last two, a shorter one is dropped. `random`: one clip
    of random length at a random place per shot, as in Movie Gen."""

    min_s: float = 4.0
    """Shortest clip, seconds (Movie Gen: 4)."""

    max_s: float = 16.0
    """Longest clip, seconds (Movie Gen: 16)."""

    min_shot_s: float = 4.0
    """Shortest shot that clips are taken from, seconds (Movie Gen: 16 for its random windows)."""

    skip_head_s: float = 2.0
    """Seconds dropped at the start of every video: intros and unsteady cameras (Movie Gen,
    Panda-70M)."""

    guard_s: float = 0.1
    """Seconds dropped on both sides of every shot boundary, for codecs and editors that smear a
    cut."""

    max_per_video: int | None = None
    """Most clips of one video, chosen at random; null takes all (Movie Gen: 1 to 2)."""

    seed: int = 0
    """Changes the random choices; the same seed always makes the same ones."""

    @model_validator(mode="after")
    def _in_order(self) -> "WindowSettings":
        if not 0.0 < self.min_s <= self.max_s:
            raise ValueError("min_s must be above 0 and at most max_s")
        return self


@dataclass(frozen=True, slots=True)
class Window:
    """Frames `start` to `end` (not included) of `shot`."""

    start: int
    end: int
    shot: Shot


def windows(
    shots: list[Shot],
    times_s: npt.NDArray[np.float64],
    end_s: float,
    video_id: str,
    settings: WindowSettings,
) -> list[Window]:
    """The clips of a video, in time order.

    Args:
        shots: its shots.
        times_s: when each frame is shown, `[T]`, rising.
        end_s: when the last frame stops being shown.
        video_id: makes the random choices differ from video to video.
        settings: lengths and mode.
    """
    if times_s.size == 1:
        # None where the image is black: what fades are made of belongs to no shot.
        return [Window(0, 1, shot) for shot in shots]
    edges_s = np.append(times_s, end_s)
    found: list[Window] = []
    for shot in shots:
        first_s = max(
            edges_s[shot.start] + (settings.guard_s if shot.start else 0.0), settings.skip_head_s
        )
        last_s = edges_s[shot.end] - (settings.guard_s if shot.end < times_s.size else 0.0)
        if edges_s[shot.end] - edges_s[shot.start] < settings.min_shot_s:
            continue
        spans = _random if settings.mode == "random" else _covering
        for start_s, stop_s in spans(
            first_s, last_s, f"{settings.seed}/{video_id}/{shot.start}", settings
        ):
            # Rounded inwards, with room for timestamps that are rounded to a millisecond.
            start = int(np.searchsorted(edges_s, start_s - 0.002))
            end = int(np.searchsorted(edges_s, stop_s + 0.002, side="right")) - 1
            found.append(Window(start, end, shot))
    if settings.max_per_video is not None and len(found) > settings.max_per_video:
        found.sort(key=lambda window: _fraction(f"{settings.seed}/{video_id}/{window.start}"))
        found = sorted(found[: settings.max_per_video], key=lambda window: window.start)
    return found


def _covering(
    first_s: float, last_s: float, _: str, settings: WindowSettings
) -> list[tuple[float, float]]:
    # Nothing is left of a shot that `skip_head_s` or the guards are longer than.
    whole, rest_s = divmod(max(0.0, last_s - first_s), settings.max_s)
    lengths = [settings.max_s] * int(whole)
    if rest_s >= settings.min_s:
        lengths.append(rest_s)
    elif lengths and rest_s >= settings.min_s / 2 and settings.max_s + rest_s >= 2 * settings.min_s:
        lengths[-1:] = [(settings.max_s + rest_s) / 2] * 2
    ends = first_s + np.cumsum(lengths)
    return [(float(end - length), float(end)) for end, length in zip(ends, lengths, strict=True)]


def _random(
    first_s: float, last_s: float, name: str, settings: WindowSettings
) -> list[tuple[float, float]]:
    longest_s = min(settings.max_s, last_s - first_s)
    if longest_s < settings.min_s:
        return []
    length_s = settings.min_s + _fraction(f"{name}/length") * (longest_s - settings.min_s)
    start_s = first_s + _fraction(f"{name}/start") * (last_s - first_s - length_s)
    return [(start_s, start_s + length_s)]


def _fraction(name: str) -> float:
    """A number from 0 to 1 that depends on the name alone, so on no order and no other video."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8], "big") / math.ldexp(1.0, 64)
