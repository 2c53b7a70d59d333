"""What every test gets: no ERROR in the log that it did not ask for, and the models if it asks."""

import atexit
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@atexit.register
def _quiet_end() -> None:
    """Lets pytest's closing line be the last.

    DuckDB's binding lists what is alive when the interpreter ends; Hypothesis keeps modules alive.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


@pytest.fixture(autouse=True)
def no_error_is_logged(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Fails a test that logs an ERROR, unless it is marked `logs_errors`."""
    yield
    if request.node.get_closest_marker("logs_errors"):
        return
    errors = [
        f"{record.name}: {record.getMessage()}"
        for when in ("setup", "call")
        for record in caplog.get_records(when)
        if record.levelno >= logging.ERROR
    ]
    assert not errors, "logged as ERROR: " + "; ".join(errors)


@pytest.fixture(scope="session")
def model_weights() -> Path:
    """The folder of the models' files; fetched by pip if this machine has none yet."""
    from tests.models import weights

    return weights()
