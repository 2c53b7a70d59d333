"""Which commits made the rows that a clip is told of in: run, code, recipe and command of each."""

from typing import Any

from curation.views import CAPTIONS, LATENTS, SHARDS
from pipelines.dashboard.board import Board
from pipelines.dashboard.commits import Commit, commits_of
from pipelines.dashboard.index import Index

_TOLD = ("run", "stage", "command", "host", "code", "recipe", "time_ms")


def lineage(board: Board, index: Index, clip_id: str) -> list[dict[str, Any]]:
    """The commits behind a clip, upstream first.

    Where it is known which file has the row, as of the decode pass and of samples, the commit is
    the one that added it (`is_exact`); of the other tables it is the last that added rows.

    Args:
        board: whose.
        index: as it is asked.
        clip_id: the clip.

    Returns:
        `table`, `file` (null if not known), `is_exact`, and of the commit `version`, `run`,
        `stage`, `command`, `host`, `code`, `recipe`, `time_ms` (since 1970 UTC).
    """
    rows = board.ask(
        """SELECT table_name, file FROM places WHERE key = $clip
        UNION ALL SELECT $captions || captioner, NULL FROM captions WHERE clip_id = $clip
        UNION ALL SELECT $latents || subset, NULL FROM latents WHERE clip_id = $clip
        UNION ALL SELECT 'scores', NULL FROM scores WHERE clip_id = $clip""",
        {"clip": clip_id, "captions": CAPTIONS, "latents": LATENTS},
        index=index,
    )
    files: dict[str, str | None] = {"sources": None, "videos": None, "selection": None}
    files |= {row["table_name"]: row["file"] for row in rows}
    order = ("sources", "videos", "clips", "scores", "selection", CAPTIONS, SHARDS, LATENTS)

    def place(table: str) -> int:
        return next(at for at, name in enumerate(order) if table.startswith(name))

    tables = sorted(
        (name for name in files if name in index.committed), key=lambda x: (place(x), x)
    )
    commits = commits_of(board.workspace, {name: index.committed[name] for name in tables})
    found = []
    for table in tables:
        own = [one for one in commits if one.table == table]
        commit, is_exact = _maker(own, files[table])
        if commit is not None:
            told = {name: getattr(commit, name) for name in ("version", *_TOLD)}
            found.append({"table": table, "file": files[table], "is_exact": is_exact} | told)
    return found


def _maker(commits: list[Commit], file: str | None) -> tuple[Commit | None, bool]:
    adding = [one for one in commits if file in one.added] if file else []
    if adding:
        return adding[-1], True
    return next((one for one in reversed(commits) if one.added), None), False
