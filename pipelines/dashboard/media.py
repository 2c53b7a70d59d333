"""Pictures and videos of clips, found by the clip's id in the index, never by a path."""

from typing import Any, Literal

import anyio.to_thread
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from curation.views import SHARDS
from pipelines.dashboard.answers import answered, get, refused
from pipelines.dashboard.board import Board
from pipelines.dashboard.filters import Query
from pipelines.dashboard.pictures import frames_of, poster
from pipelines.dashboard.proxy_request import PlaybackError, proxy_request
from pipelines.dashboard.video_response import video_response

POSTER_HEIGHT_PX = 180

_CUTTING = 20
"""Requests for videos at a time, so that waiting for one to be cut does not hold up others."""

IMMUTABLE = {"cache-control": "private, max-age=86400"}


class PosterQuery(Query):
    """A stored frame of a clip."""

    clip_id: str = Field(max_length=200)
    frame: int | None = Field(default=None, ge=0, le=1000)
    """Left out, the middle one."""
    height: int = Field(default=POSTER_HEIGHT_PX, ge=16, le=1080)
    """px; a frame is never enlarged."""


class VideoQuery(Query):
    """A clip as a video."""

    clip_id: str = Field(max_length=200)
    of: Literal["source", "sample"] = "source"
    """Its range of the source, or the sample that training reads."""
    subset: str = Field(default="", max_length=100)
    """Of the sample."""


def clip_poster(board: Board, asked: PosterQuery) -> Response:
    """A stored frame as JPEG.

    Raises:
        FileNotFoundError: no such clip, or none of its frames is stored.
    """
    place = _place(board, "clips", asked.clip_id)
    frames = frames_of(board.workspace, place["file"], place["row"], asked.clip_id)
    if not frames:
        raise FileNotFoundError(f"no frame of {asked.clip_id} is stored")
    index = len(frames) // 2 if asked.frame is None else min(asked.frame, len(frames) - 1)
    content = poster(frames, index, asked.height)
    return Response(content, media_type="image/jpeg", headers=dict(IMMUTABLE))


def clip_video(board: Board, asked: VideoQuery) -> Response:
    """The clip as MP4, cut and kept when it is first asked for; of an image a JPEG.

    Raises:
        FileNotFoundError: no such clip or sample.
        PlaybackError: the source is gone, has changed or cannot be played.
    """
    if asked.of == "sample":
        table = SHARDS + asked.subset
        place = _place(board, table, asked.clip_id)
        return video_response(board.playback.sample(table, place["file"], place["row"]))
    return video_response(board.playback.proxy(proxy_request(board.ask, asked.clip_id)))


def _place(board: Board, table: str, key: str) -> dict[str, Any]:
    found = board.ask(
        "SELECT file, row FROM places WHERE table_name = $table AND key = $key",
        {"table": table, "key": key},
    )
    if not found:
        raise FileNotFoundError(f"{table} has no row {key[:100]!r}")
    return found[0]


def _played(board: Board, asked: VideoQuery) -> Response:
    try:
        return clip_video(board, asked)
    except PlaybackError as error:
        return refused(503 if error.reason == "busy" else 409, str(error))


def _video_route() -> Route:
    limiter: list[anyio.CapacityLimiter] = []

    async def endpoint(request: Request) -> Response:
        if not limiter:
            limiter.append(anyio.CapacityLimiter(_CUTTING))
        parameters = {**request.query_params, **request.path_params}
        board = request.app.state.board
        return await anyio.to_thread.run_sync(
            lambda: answered(lambda: _played(board, VideoQuery.model_validate(parameters))),
            limiter=limiter[0],
        )

    return Route("/api/clips/{clip_id}/video", endpoint, methods=["GET"])


ROUTES = [get("clips/{clip_id}/poster", clip_poster, PosterQuery), _video_route()]
