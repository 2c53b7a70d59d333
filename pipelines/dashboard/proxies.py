"""Cuts clips for the eye: small, of a rate that screens show, in a confined child process."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from curation.media.cut import Framing
from curation.media.sandbox import Outcome, Sandbox
from pipelines.dashboard.proxy_request import ProxyRequest

MAX_HEIGHT_PX, MAX_WIDTH_PX, MAX_FPS = 360, 1280, 30.0
CRF, PRESET, JPEG_QUALITY = 26, "veryfast", 90


def cut_proxy(sandbox: Sandbox, clip: ProxyRequest, path: Path) -> Outcome:
    """The clip as MP4, H.264 and silent, or as JPEG if it is an image; or why there is none.

    Args:
        sandbox: decodes and encodes.
        clip: the clip.
        path: its source.
    """
    common: dict[str, Any] = {
        "path": str(path),
        "stream_index": clip.stream_index,
        "rotation_deg": clip.rotation_deg,
        "framing": asdict(proxy_framing(clip.width, clip.height)),
    }
    if clip.is_image:
        return sandbox.run("curation.media.cut:cut_image", **common, quality=JPEG_QUALITY)
    duration_s = clip.end_s - clip.start_s
    num_frames = max(1, round(duration_s * min(clip.fps or MAX_FPS, MAX_FPS)))
    return sandbox.run(
        "curation.media.cut:cut_clip",
        **common,
        start_s=clip.start_s,
        end_s=clip.end_s,
        num_frames=num_frames,
        crf=CRF,
        preset=PRESET,
    )


def proxy_framing(width: int, height: int) -> Framing:
    """The whole picture in even sides of the same proportion, at most 360 px high, 1280 px wide.

    Args:
        width: of the picture as shown, px.
        height: likewise.
    """
    scale = min(1.0, MAX_HEIGHT_PX / height, MAX_WIDTH_PX / width)
    even = [max(2, 2 * round(side * scale / 2)) for side in (width, height)]
    return Framing(width, height, 0, 0, width, height, *even)
