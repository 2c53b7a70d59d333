"""What failed, was turned away by its metadata, or still waits: nothing of it is lost."""

from typing import Any

from curation.rules import Rule
from curation.tables import FAILURES
from pipelines.dashboard import problems, remedies
from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.failed_rows import with_commands
from pipelines.dashboard.index import Index
from pipelines.dashboard.overview import Nothing
from pipelines.dashboard.recent import Recent
from pipelines.recipe_history import read_recipe

NUM_SLOWEST = 20

SAME_CONTENT = "another file has the same content, and is taken in its place"
WAITING = "no row yet: the run was interrupted or limited, or its storage failed"


_summaries: Recent[dict[str, Any]] = Recent(4)


def failures(board: Board, _: Nothing) -> dict[str, Any]:
    """What did not come through each step, by class.

    Returns:
        `stages`: `stage`, `num_in` (its inputs), `retry` (a command, or null) and `classes`:
        `why`, `status`, `meaning`, `num`, `cpu_s`, `example` (a row as `rows` gives it).
    """
    index = board.index
    key = (board.folder, tuple(index.committed.items()))
    return _summaries.take(key, lambda: {"stages": _stages(board, index)})


def _stages(board: Board, index: Index) -> list[dict[str, Any]]:
    found = []
    for stage in problems.stages(board, index):
        sql, params = problems.inputs_sql(stage)
        rows = board.ask(
            f"""SELECT {problems.WHY} AS why, status, count(*) AS num, sum(cpu_s) AS cpu_s,
                min(key) AS key, bool_and({problems.shown_sql(stage)}) AS shown
            FROM ({sql}) GROUP BY ALL ORDER BY status, num DESC, why""",  # noqa: S608
            params,
            index=index,
        )
        classes = [row for row in rows if row.pop("shown")]
        origin = remedies.origin_of(board, index, stage)
        for row in classes:
            row["meaning"] = _meaning(board, origin.recipe, stage, row["why"])
            row["example"] = _row(board, index, stage, row.pop("key"))
        failed = any(row["status"] == "failed" for row in classes)
        num_in = sum(row["num"] for row in rows)
        if num_in:
            found.append(
                {
                    "stage": stage,
                    "num_in": num_in,
                    "retry": remedies.retrying(board, origin, stage) if failed else None,
                    "classes": classes,
                }
            )
    return found


def slowest(board: Board, _: Nothing) -> dict[str, Any]:
    """The files that took most CPU time.

    Returns:
        `files`: `video_id`, `uri`, `status`, `duration_s`, `size_bytes`, `cpu_s` and of it
        `sources`, `clips`, `scores`, `captions`, `shards`, `latents`; `total_s` of all files.
    """
    steps = {"clips": "passes"} | {
        name: name for name in ("scores", "captions", "shards", "latents")
    }
    parts = " UNION ALL ".join(
        f"SELECT video_id, '{step}' AS step, cpu_s FROM {table}"  # noqa: S608 - names are ours
        for step, table in steps.items()
    )
    taken = ", ".join(
        f"coalesce(sum(cpu_s) FILTER (step = '{step}'), 0) AS {step}" for step in steps
    )
    every = " + ".join(["s.cpu_s", *(f"coalesce(w.{step}, 0)" for step in steps)])
    shown = ", ".join(f"coalesce(w.{step}, 0) AS {step}" for step in steps)
    found = board.ask(
        f"""WITH work AS (SELECT video_id, {taken} FROM ({parts}) GROUP BY video_id)
        SELECT s.video_id, s.uri, s.status, s.duration_s, s.size_bytes, s.cpu_s AS sources, {shown},
            {every} AS cpu_s, sum({every}) OVER () AS total_s
        FROM sources AS s LEFT JOIN videos AS v ON v.video_id = s.video_id
        LEFT JOIN work AS w ON w.video_id = s.video_id AND s.uri = v.uris[1]
        ORDER BY cpu_s DESC NULLS LAST, uri LIMIT {NUM_SLOWEST}"""  # noqa: S608
    )
    totals = [row.pop("total_s") for row in found]
    return {"files": found, "total_s": totals[0] if totals else 0}


def _row(board: Board, index: Index, stage: str, key: str) -> dict[str, Any]:
    sql, params = problems.inputs_sql(stage)
    found = board.ask(f"FROM ({sql}) WHERE key = $key LIMIT 1", {**params, "key": key}, index=index)
    return with_commands(board, index, stage, found[0])


def _meaning(board: Board, recipe: str, stage: str, why: str) -> str:
    known = {**FAILURES, "same_content": SAME_CONTENT, "waiting": WAITING}
    if why in known:
        return known[why]
    rules = read_recipe(board.workspace, recipe).get("videos", {})
    if stage == "videos" and why in rules:
        return f"the recipe's videos.{why} takes {Rule.model_validate(rules[why]).text}"
    return ""


ROUTES = [
    get("failures", failures, Nothing),
    get("failures/slowest", slowest, Nothing),
]
