"""From a request to a function and back."""

import json
import math
from datetime import UTC, datetime
from typing import Annotated

import numpy as np
import pytest
from pydantic import Field, ValidationError
from starlette.requests import Request

from pipelines.dashboard.answers import answered, arrays, get, plain, said_by
from pipelines.dashboard.board import NotReady
from pipelines.dashboard.filters import Query
from pipelines.workspace import FencedError


def test_what_json_lacks_becomes_null_or_text():
    value = {"a": [math.nan, math.inf, 1.5], "b": (None, True), 3: datetime(2026, 1, 2, tzinfo=UTC)}
    found = plain(value)
    assert found == {"a": [None, None, 1.5], "b": [None, True], "3": "2026-01-02 00:00:00+00:00"}
    json.dumps(found, allow_nan=False)


def test_arrays_follow_their_head_in_their_own_type():
    body = arrays({"x": "ä"}, one=np.arange(3.0), two=np.array([0.1], np.float32)).body
    length = int.from_bytes(body[:4], "little")
    head = json.loads(body[4 : 4 + length])
    assert head == {"x": "ä", "arrays": [["one", 3, 8], ["two", 1, 4]]}
    assert np.frombuffer(body, "<f8", 3, 4 + length).tolist() == [0, 1, 2]
    assert np.frombuffer(body, "<f4", 1, 4 + length + 24).tolist() == [np.float32(0.1)]


@pytest.mark.parametrize(
    ("error", "status"), [(NotReady("reading clips"), 503), (FencedError("another run"), 503)]
)
def test_what_will_pass_is_said_as_such(error, status):
    def function():
        raise error

    found = answered(function)
    assert (found.status_code, json.loads(found.body)) == (status, {"error": str(error)})


def test_a_wrong_value_is_said_with_its_name():
    class Asked(Query):
        page: Annotated[int, Field(ge=0)] = 0

    with pytest.raises(ValidationError) as caught:
        Asked.model_validate({"page": "-1"})
    assert said_by(caught.value) == "page: Input should be greater than or equal to 0"


def test_a_parameter_given_several_times_is_a_list_where_it_may_be_one():
    class Asked(Query):
        rule: tuple[str, ...] = ()
        name: str = ""

    seen = []

    def function(board, asked):
        seen.append(asked)
        return {}

    class App:
        class state:
            board = None

    route = get("x", function, Asked)
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/x",
        "headers": [],
        "path_params": {},
        "app": App,
    }
    for query in (b"rule=a&rule=b&name=c", b"rule=a", b""):
        route.endpoint(Request({**scope, "query_string": query}))
    assert [one.rule for one in seen] == [("a", "b"), ("a",), ()]
    assert seen[0].name == "c"
