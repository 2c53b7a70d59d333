"""Answers to requests for parts of a video: browsers play and seek by them."""

from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

MAX_RANGE_CHARS = 256
"""Longest `Range` header that is looked at."""

MAX_AGE_S = 24 * 3600
_TYPES = {b"\xff\xd8\xff": "image/jpeg"}


class VideoResponse(FileResponse):
    """A file, or the ranges of it that the request names; more than a few get the whole file."""

    max_ranges = 4

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        asked = Headers(scope=scope).getlist("range")
        if len(asked) > 1 or any(len(ranges) > MAX_RANGE_CHARS for ranges in asked):
            others = [pair for pair in scope["headers"] if pair[0] != b"range"]
            scope = {**scope, "headers": others}
        await super().__call__(scope, receive, send)


def video_response(path: Path) -> VideoResponse:
    """The answer with a file of `Playback`, whose content never changes under its name.

    Raises:
        OSError: the file is gone, because many others were made since.
    """
    with path.open("rb") as file:
        kind = _TYPES.get(file.read(3), "video/mp4")
    headers = {
        "cache-control": f"private, max-age={MAX_AGE_S}, immutable",
        "x-content-type-options": "nosniff",
    }
    return VideoResponse(path, headers=headers, media_type=kind, stat_result=path.stat())
