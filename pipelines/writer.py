"""The one writer of a stage table: commits that fence off any other driver, and the sweep."""

import uuid
from collections.abc import Iterable
from pathlib import Path

import obstore
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction

from curation.storage import make_durable
from pipelines.parts import INDEXED, add_action
from pipelines.workspace import (
    FencedError,
    Metadata,
    Table,
    fence_sentence,
    log_entry,
    storage_errors,
)

APP = "moviola-stage"
"""The application of our Delta transactions; each table has its own count of them."""


class TableWriter:
    """Commits parts to one stage table, until another driver does.

    Every commit carries an app transaction (stage, n). Delta refuses a commit when another driver
    has counted on since this one last looked, so at most one driver's parts ever become rows.
    """

    def __init__(
        self, table: Table, schema: pa.Schema, indexed: list[str], metadata: Metadata
    ) -> None:
        """Takes the table over: from here on, the commits of any earlier driver are refused.

        Args:
            table: the table, made with `schema` if it does not exist, and given what it lacks.
            schema: the stage's columns and the engine's.
            indexed: the columns whose bounds the log keeps (`indexed_columns`).
            metadata: what each commit says about itself.
        """
        self.table = table
        self.metadata = metadata
        with storage_errors(table.uri):
            self._delta = DeltaTable.create(
                table.uri,
                schema,
                mode="ignore",
                configuration={INDEXED: ",".join(indexed)},
                commit_properties=CommitProperties(custom_metadata=dict(metadata)),
            )
            self._count = self._delta.transaction_version(APP) or 0
            self._widen(schema)
        self.commit()

    def _widen(self, schema: pa.Schema) -> None:
        """Adds the columns, and fields of columns, that an earlier version of the table lacks."""
        there = {field.name: field.type for field in self._delta.schema().fields}
        wanted = DeltaSchema.from_arrow(schema).fields
        if lacking := [field for field in wanted if there.get(field.name) != field.type]:
            self._delta.alter.add_columns(
                lacking,
                commit_properties=CommitProperties(custom_metadata=dict(self.metadata)),
            )

    def commit(self, parts: Iterable[str] = (), withdrawn: Iterable[RemoveAction] = ()) -> int:
        """Adds and withdraws parts in one transaction; the new version of the table.

        Args:
            parts: texts from `write_parts`.
            withdrawn: actions from `PartFiles.removal`.

        Raises:
            FencedError: when another driver has taken the table over; nothing was changed.
            StorageError: when the log cannot be written; nothing was changed.
        """
        commit_id = uuid.uuid4().hex
        actions: list[AddAction | RemoveAction] = [add_action(part) for part in parts]
        actions += withdrawn
        with storage_errors(f"{self.table.uri}/_delta_log"):
            try:
                self._delta.create_write_transaction(
                    actions,
                    "append",
                    self._delta.schema(),
                    commit_properties=CommitProperties(
                        custom_metadata={**self.metadata, "commit": commit_id},
                        app_transactions=[Transaction(APP, self._count + 1)],
                    ),
                )
                self._delta.update_incremental()
            except CommitFailedError as error:
                self._settle(commit_id, error)
        self._count += 1
        if self._delta.transaction_version(APP) != self._count:
            raise FencedError(fence_sentence(self.table))
        version = self._delta.version()
        with storage_errors(self.table.uri):
            make_durable(log_entry(self.table.uri, version))
        return version

    def _settle(self, commit_id: str, error: CommitFailedError) -> None:
        """A commit whose answer was lost is retried by the storage layer and then finds itself."""
        self._delta.update_incremental()
        if self._delta.history(1)[0].get("commit") != commit_id:
            raise FencedError(fence_sentence(self.table)) from error

    def sweep(self, keep_h: int) -> int:
        """Removes what killed runs left behind and what was withdrawn long ago; how many files.

        Only the driver that holds the workspace may call it, and only while no worker writes.

        Args:
            keep_h: hours for which withdrawn parts stay, so that older versions can be read.
        """
        store = self.table.workspace.store(self.table.name)
        with storage_errors(self.table.uri):
            there = {entry["path"] for page in store.list() for entry in page}
            parts = {path for path in there if path.endswith(".parquet") and path[0] != "_"}
            current = set(pa.table(self._delta.get_add_actions())["path"].to_pylist())
            kept = set(self._withdrawn(0)) - set(self._withdrawn(keep_h))
            doomed = sorted(parts - current - kept)
            if doomed:
                obstore.delete(store, doomed)
            return len(doomed) + self._sweep_staged()

    def _withdrawn(self, older_h: int) -> list[str]:
        # Always a dry run: vacuum knows what was withdrawn, but keeps young uncommitted parts.
        return self._delta.vacuum(
            retention_hours=older_h, dry_run=True, enforce_retention_duration=False
        )

    def _sweep_staged(self) -> int:
        """Files that a killed process was writing: local stores hide them from a listing."""
        if self.table.workspace.is_remote:
            return 0
        staged = list(Path(self.table.uri).rglob("part-*.parquet#*"))
        for path in staged:
            path.unlink(missing_ok=True)
        return len(staged)
