"""The tables that a stage reads, at the versions that are its own.

A stage that has a checkpoint goes on with the versions that it began with, whatever was committed
since: the order of its samples depends on them. Until then it takes the tables as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pafs

from curation.views import LATENTS, SHARDS
from pipelines.queries import parts_of
from pipelines.video_format import DATA, read_json
from pipelines.workspace import StorageError, Table, Workspace, storage_errors
from training import checkpoint
from training.loop import CHECKPOINTS
from training.run_folder import RunFolder
from training.settings import DataSettings

SELECTION = "selection"
SELECTED = ["clip_id", "subset", "status", "weight", "concept_id"]
"""What an index takes of the selection."""

ELSEWHERE = "name another folder with --run"

Versions = Mapping[str, int | None]
"""Of the tables, by their names; None for one that is not there."""


@dataclass(frozen=True)
class Tables:
    """What a stage reads."""

    samples: ds.Dataset
    """Of `latents/<subset>` or `shards/<subset>`."""

    selection: pa.Table | None
    """Weights and concepts of the subset; None where the workspace has, or had, no selection."""

    versions: Versions


@dataclass(frozen=True)
class StageTables:
    """Finds the tables of one stage."""

    name: str
    data: DataSettings
    workspace: Workspace
    run: RunFolder

    def read(self, encoders: Mapping[str, str], encoder_hash: str | None) -> Tables:
        """The tables as they were when the stage began, or are now, if it is to begin.

        Args:
            encoders: the versions of the models that are here, by the keys that name them.
            encoder_hash: what latents by them would have; None for shards.

        Raises:
            ValueError: there is no such table, the stage began with other encoders, or what it
                began with is gone.
            StorageError: a table cannot be read.
        """
        table, chosen = self._table(), self.workspace.table(SELECTION)
        began = self._began(table, encoders, encoder_hash)
        versions = {one.name: _now(one) for one in (table, chosen)} if began is None else began
        is_pinned = began is not None
        samples = self._dataset(table, versions, is_pinned)
        if versions[SELECTION] is None:
            return Tables(samples, None, versions)
        of_subset = pc.field("subset") == self.data.subset
        selection = self._dataset(chosen, versions, is_pinned)
        with storage_errors(chosen.uri):
            return Tables(samples, selection.to_table(SELECTED, filter=of_subset), versions)

    def _table(self) -> Table:
        kind = LATENTS if self.data.source == "latents" else SHARDS
        table = self.workspace.table(kind + self.data.subset)
        if table.exists():
            return table
        there = [one.removeprefix(kind) for one in parts_of(self.workspace, kind)]
        does = "`moviola encode` with this recipe" if kind == LATENTS else "`moviola curate`"
        raise ValueError(
            f"{self.workspace.uri} has no {table.name}, which stages.{self.name}.data names; of "
            f"{kind} there is {', '.join(there) or 'nothing'}. {does} makes it"
        )

    def _began(
        self, table: Table, now: Mapping[str, str], encoder_hash: str | None
    ) -> Versions | None:
        """The versions that the stage began with; None if it has done nothing that is kept.

        Raises:
            ValueError: it has not said them, or began with other encoders.
        """
        folder = self.run.stage(self.name)
        if checkpoint.newest(folder / CHECKPOINTS) is None:
            return None
        try:
            before = read_json(folder / DATA)
            version, chosen = (before["versions"][one] for one in (table.name, SELECTION))
            encoders, its_hash = dict(before["encoders"]), before["encoder_hash"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{folder / DATA} does not say what the stage began with ({error!r}): {ELSEWHERE}"
            ) from error
        changes = [
            f"{key}: {encoders.get(key)} -> {now.get(key)}"
            for key in {**encoders, **now}
            if encoders.get(key) != now.get(key)
        ]
        if changes or its_hash != encoder_hash:
            what = "; ".join(changes) or f"hash {its_hash} -> {encoder_hash}"
            raise ValueError(
                f"stage {self.name} of {self.run.path} began with version {version} of "
                f"{table.name} and other encoders than there are now ({what}): {ELSEWHERE}"
            )
        return {table.name: version, SELECTION: chosen}

    def _dataset(self, table: Table, versions: Versions, is_pinned: bool) -> ds.Dataset:
        """The rows of a table at its version.

        Raises:
            ValueError: files of the version that the stage began with are gone.
            StorageError: the table cannot be read.
        """
        version = versions[table.name]
        what = f"stage {self.name} began with version {version} of {table.name}"
        try:
            with storage_errors(table.uri):
                dataset = table.dataset(version)
                if not is_pinned:
                    return dataset
                found = dataset.filesystem.get_file_info(dataset.files)
        except StorageError as error:
            if not is_pinned:
                raise
            raise StorageError(f"{what}. {error}. If it is gone, {ELSEWHERE}") from error
        gone = [one.path for one in found if one.type == pafs.FileType.NotFound]
        if gone:
            raise ValueError(
                f"{what}, and {len(gone)} of its {len(found)} files are gone, such as {gone[0]}: "
                f"{ELSEWHERE}"
            )
        return dataset


def _now(table: Table) -> int | None:
    return table.delta().version() if table.exists() else None
