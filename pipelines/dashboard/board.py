"""What a dashboard shows: one workspace through its index, and the folders of training runs."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from curation.selection import SubsetSettings
from pipelines.assets import cache_folder
from pipelines.dashboard.index import Index, committed_versions, index_folder, open_index
from pipelines.dashboard.playback import Playback
from pipelines.workspace import StorageError, Workspace

logger = logging.getLogger(__name__)

QUERY_S = 20.0
"""Seconds that one query may take."""

LOOK_S = 2.0
"""Seconds between looks for new commits; after a slow renewal, ten times what that took."""

MOST_RENEWAL_SHARE = 0.1


class NotReady(RuntimeError):
    """The index is still being made, or cannot be; the message says which."""


class QueryTimeout(RuntimeError):
    """A query took longer than it may."""


class Board:
    """The data behind the pages. Use it as a `with` block: that starts looking for new commits."""

    def __init__(
        self, workspace: Workspace, runs: Sequence[Path] = (), cache: Path | None = None
    ) -> None:
        """Names what is shown; nothing is read yet.

        Args:
            workspace: what is shown.
            runs: folders of training runs, or folders that hold such.
            cache: where the index and clips for browsers are kept; the user's cache folder.
        """
        self.workspace = workspace
        self.runs = tuple(runs)
        self.folder = index_folder(cache or cache_folder(), workspace)
        self.playback = Playback(workspace, self.folder.parent / "playback")
        self.making = "looking at the tables"
        """What is being made of the index now, for people; empty when it is up to date."""
        self.problem = ""
        """Why the workspace cannot be read at present."""
        self.index_s = 0.0
        """Seconds that the last renewal took."""
        self._index: Index | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._asked = threading.Event()
        self._watching = threading.Thread(target=self._watch, name="index", daemon=True)

    def __enter__(self) -> "Board":
        self.playback.__enter__()
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._asked.set()
        self._watching.join()
        self.close()

    def close(self) -> None:
        """Lets go of the index and of the processes that cut clips."""
        self._index = None
        self.playback.close()

    @property
    def index(self) -> Index:
        """The index as it is now.

        Raises:
            NotReady: there is none yet.
        """
        index = self._index
        if index is None:
            raise NotReady(self.problem or f"the index is being made: {self.making}")
        return index

    @property
    def is_ready(self) -> bool:
        """Whether there is an index."""
        return self._index is not None

    def renew(self) -> None:
        """Brings the index up to the tables as they are now, if a table has changed.

        Raises:
            ValueError: this is no workspace, or one of an earlier Moviola.
            StorageError: the workspace cannot be read.
        """
        with self._lock:
            began = time.monotonic()
            versions = committed_versions(self.workspace)
            if self._index is None or self._index.committed != versions:
                self.making = "opening"
                self._index = open_index(self.workspace, versions, self.folder, self._on_part)
                self.index_s = time.monotonic() - began
            self.making = ""

    def renew_soon(self) -> None:
        """Has the index looked at without waiting for the next look."""
        self._asked.set()

    def ask(
        self,
        sql: str,
        params: Mapping[str, Any] | None = None,
        limit_s: float = QUERY_S,
        index: Index | None = None,
    ) -> list[dict[str, Any]]:
        """The rows that a query of ours gives, as dicts.

        Args:
            sql: SQL of this package; what comes from outside is in `params`.
            params: values by name.
            limit_s: after which it is stopped.
            index: to ask several queries of the same index; the present one if left out.

        Raises:
            NotReady: there is no index yet.
            QueryTimeout: it took too long.
        """
        table = self.arrow(sql, params, limit_s, index)
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows

    def arrow(
        self,
        sql: str,
        params: Mapping[str, Any] | None = None,
        limit_s: float = QUERY_S,
        index: Index | None = None,
    ) -> Any:  # noqa: ANN401 - a pyarrow.Table
        """What `ask` gives, as an Arrow table."""
        cursor = (index or self.index).connection.cursor()
        timer = threading.Timer(limit_s, cursor.interrupt)
        timer.start()
        try:
            return cursor.sql(sql, params=dict(params or {})).to_arrow_table()
        except duckdb.InterruptException as error:
            raise QueryTimeout(f"a query took more than {limit_s:g} s and was stopped") from error
        finally:
            timer.cancel()
            cursor.close()

    def subsets(self) -> dict[str, SubsetSettings | None]:
        """The subsets that were selected, with what they were selected by where that was kept."""
        rows = self.ask("FROM subsets ORDER BY place")
        return {
            row["subset"]: SubsetSettings.model_validate_json(row["settings"])
            if row["settings"]
            else None
            for row in rows
        }

    def decided(self, subset: str) -> str:
        """The name of the table with the judged clips of a subset.

        Raises:
            ValueError: there is no such subset.
        """
        rows = self.ask("SELECT place FROM subsets WHERE subset = $name", {"name": subset})
        if not rows:
            known = ", ".join(self.subsets()) or "none"
            raise ValueError(f"no subset is called {subset!r}; there are: {known}")
        return f"decided_{rows[0]['place']}"

    def _on_part(self, part: str) -> None:
        self.making = f"reading {part}"

    def _watch(self) -> None:
        self.playback.warm_up()
        while not self._ended.is_set():
            self._asked.clear()
            try:
                self.renew()
                self.problem = ""
            except (ValueError, StorageError, OSError, duckdb.Error) as error:
                if str(error) != self.problem:
                    logger.warning("%s", error)
                self.problem = str(error)
            self._asked.wait(max(LOOK_S, self.index_s / MOST_RENEWAL_SHARE))
