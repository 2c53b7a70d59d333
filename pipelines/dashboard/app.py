"""The dashboard as a Starlette application: a page, its files, and JSON for its panels."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from pipelines.dashboard.answers import unexpected
from pipelines.dashboard.board import Board
from pipelines.dashboard.guards import Guards
from pipelines.dashboard.origins import Origin
from pipelines.dashboard.routes import ROUTES

STATIC = Path(__file__).parent / "static"


def dashboard_app(board: Board, origins: Collection[Origin], token: str | None = None) -> Starlette:
    """The application.

    Args:
        board: what is shown; it is entered and left with the application.
        origins: of the pages of this server, such as `http://127.0.0.1:8000`.
        token: that requests have to bring; None asks for none.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        with board:
            yield

    app = Starlette(
        routes=[
            Route("/", _page),
            Mount("/static", StaticFiles(directory=STATIC), name="static"),
            *ROUTES,
        ],
        middleware=[Middleware(Guards, origins=origins, token=token)],
        exception_handlers={Exception: unexpected},
        lifespan=lifespan,
    )
    app.state.board = board
    return app


def _page(_: Request) -> Response:
    return FileResponse(STATIC / "index.html", media_type="text/html; charset=utf-8")
