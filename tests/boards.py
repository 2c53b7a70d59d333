"""Dashboards without a browser: boards over made workspaces, and one that answers over HTTP."""

import asyncio
import contextlib
import functools
import http.client
import math
import random
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import uvicorn
from starlette.responses import Response, StreamingResponse

from benchmarks.speed.made_workspace import make_workspace
from curation import tables
from curation.buckets import BucketSettings
from curation.selection import SelectionSettings, SubsetSettings, candidates, select
from pipelines.dashboard.app import dashboard_app
from pipelines.dashboard.board import Board
from pipelines.dashboard.origins import origin_of
from pipelines.run import Run
from pipelines.workspace import Workspace
from tests import media

ODD_SUBSETS = {
    "odd": SubsetSettings(
        takes="both",
        rules={
            "moves": {"measure": "motion_vmaf", "min": 1.0, "max": 9.0},
            "pretty": {"measure": "aesthetic", "min": 4.5},
            "border_share": {"max": 0.02},
            "codec": {"any_of": ("h264", "hevc")},
            "has_audio": {},
            "nsfw": {"max": 0.3},
            "duration_s": {"min": 4},
        },
        buckets=BucketSettings(base_px=256),
    ),
    "pictures": SubsetSettings(
        takes="images",
        rules={"text_score": {"max": 0.5}, "width": {"min": 1000}, "sharpness": {"min": 0.2}},
        buckets=BucketSettings(base_px=128),
    ),
    "by measures": SubsetSettings(rules={"motion_coverage": {"max": 0.5}}),
}
"""Subsets of every kind of rule: under another name, of texts, off, of one bound and of two."""

ODD_SELECTION = SelectionSettings(seed=3, audit_share=0.3)


@functools.cache
def made_workspace() -> Workspace:
    """2,000 made clips without pictures; copy it before you change it."""
    return make_workspace(media.folder() / "plainly made", 2_000, pictures=False, camera_hz=0)


@functools.cache
def odd_workspace() -> Workspace:
    """400 clips whose measures are missing, NaN or infinite here and there; 1 in 5 is an image."""
    workspace = make_workspace(media.folder() / "odd", 400, pictures=False, camera_hz=0)
    drawn = random.Random(5)
    videos = workspace.table("videos").read().to_pylist()
    images = {row["video_id"] for row in videos if drawn.random() < 0.2}
    for row in videos:
        row["is_image"] = row["video_id"] in images
    passes = workspace.table("clips").read().to_pylist()
    for row in passes:
        for clip in row["clips"] or ():
            _spoil(clip, ("motion_vmaf", "motion_coverage", "border_share", "sharpness"), drawn)
            if row["video_id"] in images:
                clip |= {"motion_vmaf": None, "motion_vector_px": None, "motion_coverage": None}
    tables_now = {
        "videos": pa.Table.from_pylist(videos, schema=tables.VIDEOS),
        "clips": pa.Table.from_pylist(passes, schema=workspace.table("clips").read().schema),
    }
    looked_at = candidates(ODD_SUBSETS, ODD_SELECTION, tables_now["clips"], tables_now["videos"])
    scores = [_scores(row, drawn) for row in looked_at.sort_by("clip_id").to_pylist()]
    tables_now["scores"] = pa.Table.from_pylist(scores, schema=tables.SCORES)
    judged = [tables_now[name] for name in ("clips", "videos", "scores")]
    chosen = [select(name, subset, ODD_SELECTION, *judged) for name, subset in ODD_SUBSETS.items()]
    tables_now["selection"] = _with_later_reasons(pa.concat_tables(chosen), drawn)
    recipe = {"subsets": {name: one.model_dump(mode="json") for name, one in ODD_SUBSETS.items()}}
    with Run(workspace, command="test", recipe=recipe, recipe_hash="0ddba11") as run:
        for name, rows in tables_now.items():
            workspace.table(name).replace(rows, run.metadata)
    return workspace


@functools.cache
def made_board() -> Board:
    """A board of `made_workspace`."""
    return ready(made_workspace(), media.folder() / "cache")


@functools.cache
def odd_board() -> Board:
    """A board of `odd_workspace`."""
    return ready(odd_workspace(), media.folder() / "cache")


def ready(workspace: Workspace, cache: Path) -> Board:
    """A board with its index, which does not look for commits by itself."""
    board = Board(workspace, cache=cache)
    board.renew()
    return board


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case; several of one name are joined by newlines."""
    body: bytes


class Site:
    """A dashboard that listens on a port of loopback."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.host = f"127.0.0.1:{port}"

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str | None
    ) -> Answer:
        """The answer to a request with these headers, `_` standing for `-`; None leaves one out."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            sent: dict[str, str | None] = {"host": self.host}
            if body is not None:
                sent["content-length"] = str(len(body))
            sent |= {name.replace("_", "-"): value for name, value in headers.items()}
            for name, value in sent.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            found: dict[str, str] = {}
            for name, value in answer.getheaders():
                known = found.get(name.lower())
                found[name.lower()] = value if known is None else f"{known}\n{value}"
            return Answer(answer.status, found, answer.read())


def body_of(answer: Response) -> bytes:
    """What the response of a panel's function holds, also where it is sent in parts."""
    if not isinstance(answer, StreamingResponse):
        return bytes(answer.body)
    parts = answer.body_iterator

    async def joined() -> bytes:
        return b"".join([bytes(part) async for part in parts])

    return asyncio.run(joined())


@contextlib.contextmanager
def site(
    board: Board,
    token: str | None = None,
    routes: list[Any] | None = None,
    origins: tuple[str, ...] = (),
) -> Iterator[Site]:
    """Serves a board; `routes` and `origins` are added to those of the application."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    served = Site(listening.getsockname()[1])
    reached = {origin_of(f"http://{served.host}"), *map(origin_of, origins)}
    app = dashboard_app(board, reached, token)
    app.router.routes.extend(routes or [])
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), name="site")
    thread.start()
    try:
        ends = time.monotonic() + 20
        while not (server.started and board.is_ready) and thread.is_alive():
            assert time.monotonic() < ends, board.problem or "the site did not start"
            time.sleep(0.01)
        yield served
    finally:
        server.should_exit = True
        thread.join()


def _spoil(row: dict[str, Any], names: tuple[str, ...], drawn: random.Random) -> None:
    for name in names:
        if drawn.random() < 0.15:
            row[name] = drawn.choice([None, math.nan, math.inf, -math.inf])


def _scores(clip: dict[str, Any], drawn: random.Random) -> dict[str, Any]:
    row = clip | {
        "models": ["made:1"],
        "aesthetic": drawn.gauss(4.7, 0.7),
        "nsfw": drawn.random() ** 3,
        "text_score": drawn.random(),
        "status": "ok",
    }
    _spoil(row, ("aesthetic", "nsfw", "text_score"), drawn)
    return row


def _with_later_reasons(verdicts: pa.Table, drawn: random.Random) -> pa.Table:
    """The verdicts with some of the kept clips rejected by what comes after the rules."""
    rows = verdicts.to_pylist()
    for row in rows:
        if row["status"] == "ok" and drawn.random() < 0.2:
            row["reason"] = drawn.choice(["duplicate", "retrieval", "review:missing"])
            row["status"], row["audit"] = "rejected", drawn.random() < 0.3
    return pa.Table.from_pylist(rows, schema=verdicts.schema)
