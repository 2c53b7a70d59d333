"""What a dashboard shows: one workspace through its index, and the folders of training runs."""

import contextlib
import logging
import re
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from curation.selection import SubsetSettings
from pipelines.assets import cache_folder
from pipelines.dashboard.gaps import gap
from pipelines.dashboard.index import Index, Work, committed_versions, index_folder, open_index
from pipelines.dashboard.playback import Playback
from pipelines.lease import Holder, held_by
from pipelines.workspace import StorageError, Workspace

logger = logging.getLogger(__name__)

QUERY_S = 20.0
"""Seconds that one query may take."""

LOOK_S = 2.0
"""Seconds between looks for new commits; after a renewal at least ten times what that took."""

MOST_RENEWAL_SHARE = 0.1

MOST_LOOK_S = 30.0
"""Between looks at a workspace that cannot be read: each time it waits twice as long."""

STOP_S = 2.0
"""Waited for the end of what reads the workspace; a storage that hangs is left to hang."""

_VARYING = re.compile(r"[0-9a-f]{6,}|[\d.]+(ns|µs|ms|s)?")
"""What differs in a message from one time to the next: names, counts and durations."""


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

        Raises:
            ValueError, StorageError: the cache folder cannot be used.
        """
        self.workspace = workspace
        self.runs = tuple(runs)
        self.folder = index_folder(cache or cache_folder(), workspace)
        self.playback = Playback(workspace, self.folder.parent / "playback")
        self.making = "looking at the tables"
        """What is being made of the index now, for people; empty when it is up to date."""
        self.problem = ""
        """Why the workspace cannot be read at present, or which table of it is gone."""
        self.index_s = 0.0
        """Seconds that the last renewal took."""
        self.held: Holder | None = None
        """The run that holds the workspace, dead or alive, as it was when last looked at."""
        self.waits_since: float | None = None
        """When the step of the present look began (`time.monotonic`); None between looks."""
        self._index: Index | None = None
        self._gap = ""
        self._work = Work()
        self._logged: set[str] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._asked = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, name="index", daemon=True),
            threading.Thread(target=self._listen, name="lease", daemon=True),
        ]

    def __enter__(self) -> "Board":
        self.playback.__enter__()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._asked.set()
        ends = time.monotonic() + STOP_S
        for thread in self._threads:
            while thread.is_alive() and time.monotonic() < ends:
                # Time and again, as it stops only the statement of the moment.
                self._work.interrupt()
                thread.join(0.05)
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
                self._index = open_index(
                    self.workspace, versions, self.folder, self._on_part, self._work
                )
                self.index_s = time.monotonic() - began
                self._gap = gap(self._index, self.subsets())
            self.making, self.problem = "", self._gap

    def look_for_run(self) -> None:
        """Brings `held` up to the lease as it is now.

        Raises:
            StorageError: it cannot be read; none is held then.
        """
        try:
            self.held = held_by(self.workspace)
        except StorageError:
            self.held = None
            raise

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

    def check_there(self, table: str = "") -> None:
        """Whether a table that the index was made from is still there.

        Args:
            table: its name; left out, the first of the workspace.

        Raises:
            NotReady: there is no index yet.
            StorageError: it is gone, or the storage cannot be read.
        """
        # They are looked at against the stream.
        name = table or [*self.index.committed][-1]
        if name in self.index.committed and not self.workspace.table(name).exists():
            raise StorageError(f"table {name} of {self.workspace.uri} is gone")

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
        self.waits_since = time.monotonic()

    def _watch(self) -> None:
        with contextlib.suppress(OSError):
            self.playback.warm_up()  # else the first proxy says why
        fails = 0
        while not self._ended.is_set():
            self._asked.clear()
            self.waits_since = time.monotonic()
            before, rest_s = self._index, 0.0
            try:
                self.renew()
                fails = 0
                if self._index is not before:
                    rest_s = self.index_s / MOST_RENEWAL_SHARE
            except (ValueError, StorageError, OSError, duckdb.Error) as error:
                if self._ended.is_set():
                    return
                self.problem, fails = str(error), fails + 1
            self._log_problem()
            self.waits_since = None
            self._asked.wait(max(rest_s, _pause_s(fails)))

    def _log_problem(self) -> None:
        """Logs the problem of the moment, unless it was logged since there was none."""
        if not self.problem:
            self._logged.clear()
        elif (gist := _VARYING.sub("", self.problem)) not in self._logged:
            logger.warning("%s", self.problem)
            self._logged.add(gist)

    def _listen(self) -> None:
        fails = 0
        while True:
            try:
                self.look_for_run()
                fails = 0
            except StorageError:
                fails += 1  # `_watch` says why
            if self._ended.wait(_pause_s(fails)):
                return


def _pause_s(fails: int) -> float:
    """Seconds until the next look, after so many in a row that failed."""
    return min(LOOK_S * 2.0 ** min(fails, 10), MOST_LOOK_S)
