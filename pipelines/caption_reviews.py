"""Verdicts of people on captions, added to a workspace while a run may be at work in it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import pyarrow.compute as pc

from captioning.caption_reviews import CaptionVerdict, checked
from curation.tables import OK
from curation.views import CAPTIONS
from pipelines.queries import parts_of
from pipelines.run import Run
from pipelines.workspace import Workspace

TABLE = "caption_reviews"

MOST_FILES = 200
"""Each commit adds a file; more of them are made one, or reading a few rows would take seconds."""


def add_caption_reviews(
    workspace: Workspace, verdicts: Sequence[CaptionVerdict], command: str = ""
) -> int:
    """Stores the verdicts in one commit, all or none; how many there are.

    No lease is taken: rows are only ever added to this table, and nobody replaces it, so a run that
    is at work neither stops this nor is stopped by it. A verdict on a caption that the run writes
    again just then does not hold, because it names the words that were judged.

    Args:
        workspace: where the captions are.
        verdicts: in the order in which they were given.
        command: what the user did, for the commit.

    Raises:
        ValueError: something is wrong with a verdict, or its caption is not there or has been
            written again; nothing is stored.
        FencedError: the table was written to by others again and again meanwhile.
        StorageError: the workspace cannot be read or written.
    """
    if not verdicts:
        return 0
    rows = checked(verdicts, _captions(workspace, verdicts), datetime.now(UTC))
    # It is named in the commit, and never entered.
    table, metadata = workspace.table(TABLE), Run(workspace, command=command).metadata
    table.append(rows, metadata)
    if len(table.delta().file_uris()) > MOST_FILES:
        table.merge_files(metadata)
    return len(verdicts)


def _captions(
    workspace: Workspace, verdicts: Iterable[CaptionVerdict]
) -> dict[tuple[str, str], str]:
    """The captions that there are of what the verdicts name, by clip and captioner."""
    asked: dict[str, set[str]] = {}
    for one in verdicts:
        asked.setdefault(CAPTIONS + one.captioner, set()).add(one.clip_id)
    found = {}
    for name in asked.keys() & set(parts_of(workspace, CAPTIONS)):
        chosen = (pc.field("status") == OK) & pc.field("clip_id").isin(sorted(asked[name]))
        for row in workspace.table(name).read(["clip_id", "caption"], chosen).to_pylist():
            found[row["clip_id"], name.removeprefix(CAPTIONS)] = row["caption"]
    return found
