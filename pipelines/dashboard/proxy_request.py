"""What playing a clip takes: where it comes from, and why it may not be playable."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.escaping import printable

Reason = Literal["gone", "changed", "unplayable", "too_large", "busy"]

REQUEST_SQL = """SELECT c.clip_id, c.video_id, v.sha256, v.size_bytes, v.stream_index,
    v.rotation_deg, v.width, v.height, v.fps, v.is_image, c.start_s, c.end_s,
    list({'uri': s.uri, 'modified': s.modified} ORDER BY s.uri) AS sources
FROM clips AS c JOIN videos AS v ON v.video_id = c.video_id
JOIN sources AS s ON s.video_id = c.video_id AND s.status = 'ok'
WHERE c.clip_id = $clip_id GROUP BY ALL"""
"""What a request needs, from the views of `curation.views`."""


class PlaybackError(ValueError):
    """A clip that cannot be played now; the message says why and what to do.

    Attributes:
        reason: `gone`, `changed`, `unplayable`, `too_large`, or `busy` if asking again may help.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class Source(_Row):
    """A file with the clip's video, as it was listed when it was analysed."""

    uri: str
    modified: str | None


class ProxyRequest(_Row):
    """A clip and where it comes from: columns of the tables, never a path that a browser sent."""

    clip_id: str = Field(pattern=r"^[0-9A-Za-z_-]{1,100}$")
    video_id: str = Field(pattern=r"^[0-9A-Za-z_-]{1,100}$")
    sha256: str
    size_bytes: int
    stream_index: int
    rotation_deg: int
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    fps: float | None
    is_image: bool
    start_s: float
    end_s: float
    sources: tuple[Source, ...]


def proxy_request(
    ask: Callable[[str, dict[str, Any]], Sequence[Mapping[str, Any]]], clip_id: str
) -> ProxyRequest:
    """What is known of a clip.

    Args:
        ask: answers SQL over the views of `curation.views`, or over tables of the same names.
        clip_id: the clip, as the browser named it.

    Raises:
        ValueError: there is no such clip.
    """
    found = ask(REQUEST_SQL, {"clip_id": clip_id})
    if not found:
        raise ValueError(f"no clip is called {printable(clip_id)[:100]!r}")
    return ProxyRequest.model_validate(found[0])
