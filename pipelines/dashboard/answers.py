"""From a request to a panel's function, and from what it returns or raises to a response."""

import json
import logging
import math
import struct
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipelines.dashboard.board import Board, NotReady, QueryTimeout
from pipelines.dashboard.filters import Query
from pipelines.dashboard.guards import HEADERS, TooLarge
from pipelines.workspace import FencedError, StorageError

logger = logging.getLogger(__name__)

Asked = TypeVar("Asked", bound=Query)


def get(
    name: str, function: Callable[[Board, Asked], Mapping[str, Any] | Response], kind: type[Asked]
) -> Route:
    """`GET /api/<name>`, which asks a function for JSON and changes nothing.

    Args:
        name: after `/api/`; what stands in braces is a parameter too.
        function: of the board and the query.
        kind: of the query, by which parameters are checked.
    """

    def endpoint(request: Request) -> Response:
        parameters = {**_parameters(request, kind), **request.path_params}
        return answered(lambda: function(request.app.state.board, kind.model_validate(parameters)))

    return Route(f"/api/{name}", endpoint, methods=["GET"])


def post(
    name: str, function: Callable[[Board, Asked], Mapping[str, Any]], kind: type[Asked]
) -> Route:
    """`POST /api/<name>` with a JSON body, for what changes something."""

    async def endpoint(request: Request) -> Response:
        try:
            body = json.loads(await request.body())
        except TooLarge as error:
            return refused(413, str(error))
        except (ValueError, RecursionError):
            return refused(400, "the body is no JSON")
        board = request.app.state.board
        return await run_in_threadpool(answered, lambda: function(board, kind.model_validate(body)))

    return Route(f"/api/{name}", endpoint, methods=["POST"])


def answered(function: Callable[[], Mapping[str, Any] | Response]) -> Response:
    """The response to what a function returns or raises."""
    try:
        found = function()
    except ValidationError as error:
        return refused(400, said_by(error))
    except (FencedError, NotReady) as error:
        return refused(503, str(error))
    except QueryTimeout as error:
        return refused(504, str(error))
    except StorageError as error:
        return refused(502, str(error))
    except FileNotFoundError as error:
        return refused(404, str(error))
    except ValueError as error:
        return refused(400, str(error))
    return found if isinstance(found, Response) else JSONResponse(plain(found))


async def unexpected(request: Request, error: Exception) -> Response:
    """A bug: the stack goes to the terminal, not to the browser."""
    logger.error("%s %s", request.method, request.url.path, exc_info=error)
    answer = refused(500, "an unexpected error; the terminal of the dashboard tells more")
    # Starlette answers to bugs outside of all middleware, `Guards` included.
    answer.headers.update(HEADERS)
    return answer


def refused(status: int, text: str) -> Response:
    """An error as JSON `{"error": …}`."""
    return JSONResponse({"error": text}, status_code=status)


def arrays(head: Mapping[str, Any], **parts: np.ndarray[Any, Any]) -> Response:
    """Numbers for a page: the length of a JSON head (uint32), the head, and the arrays.

    They are float32 or float64, little-endian. The head names them in their order under `arrays`,
    with how many numbers each has, and the bytes of a number.
    """
    listed = [[name, len(values), values.itemsize] for name, values in parts.items()]
    text = json.dumps(plain({**head, "arrays": listed})).encode()
    body = [struct.pack("<I", len(text)), text]
    body += [values.astype(f"<f{values.itemsize}").tobytes() for values in parts.values()]
    return Response(b"".join(body), media_type="application/octet-stream")


def plain(value: Any) -> Any:  # noqa: ANN401 - any value of a row
    """The value as JSON has it: no NaN or infinity, times as ISO 8601."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def said_by(error: ValidationError) -> str:
    """What is wrong with a query, in one sentence."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else str(first["msg"])


def _parameters(request: Request, kind: type[BaseModel]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        field = kind.model_fields.get(name)
        if field is not None and str(field.annotation).startswith("tuple"):
            found[name] = (*found.get(name, ()), value)
        else:
            found[name] = value
    return found
