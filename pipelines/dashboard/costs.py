"""What rows have cost in CPU time: by stage, for what a subset keeps, and where most of it went.

`cpu_s` is of the rows that are in the tables: what was withdrawn since, and the start of workers,
is not in it, nor is the time of GPUs or of a caption server.
"""

from typing import Any

from pydantic import Field

from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.filters import Query

MOST_SOURCES = 20


class CostQuery(Query):
    """A subset whose kept clips are to have a price."""

    subset: str = Field(default="", max_length=100)
    """Left out, the first, if there is one yet."""


_BY_STATUS = """SELECT stage, status, count(*) AS num, coalesce(sum(cpu_s), 0) AS cpu_s,
        count(cpu_s) AS num_timed, max(cpu_s) AS most_s FROM (
    SELECT 1 AS place, 'sources' AS stage, status, cpu_s FROM sources
    UNION ALL SELECT 2, 'clips', status, cpu_s FROM passes
    UNION ALL SELECT 3, 'scores', status, cpu_s FROM scores
    UNION ALL SELECT 4, 'captions/' || captioner, status, cpu_s FROM captions
    UNION ALL SELECT 5, 'shards/' || subset, status, cpu_s FROM shards
    UNION ALL SELECT 6, 'latents/' || subset, status, cpu_s FROM latents)
    GROUP BY place, stage, status ORDER BY place, stage, status"""

# Rejected clips are in it, as there are no kept ones without them; the captions of other subsets'
# clips are not.
_OF_SUBSET = """SELECT
    (SELECT sum(cpu_s) FROM sources) AS sources,
    (SELECT sum(cpu_s) FROM passes) AS clips,
    (SELECT sum(cpu_s) FROM scores) AS scores,
    (SELECT sum(cpu_s) FROM captions WHERE clip_id IN (
        SELECT clip_id FROM selection WHERE subset = $subset AND status = 'ok')) AS captions,
    (SELECT sum(cpu_s) FROM shards WHERE subset = $subset) AS shards,
    (SELECT sum(cpu_s) FROM latents WHERE subset = $subset) AS latents"""

_KEPT = """SELECT count(*) AS num, coalesce(sum(c.duration_s), 0) / 3600 AS hours
    FROM selection AS s JOIN clips AS c ON c.clip_id = s.clip_id
    WHERE s.subset = $subset AND s.status = 'ok'"""

_DECODED = """SELECT coalesce(sum(decoded_s), 0) / 3600 AS hours,
    coalesce(sum(cpu_s) FILTER (decoded_s IS NOT NULL), 0) / 3600 AS cpu_hours FROM passes"""

_SLOWEST = """SELECT p.video_id, v.uris[1] AS uri, v.source, v.codec, v.width, v.height, p.status,
        p.reason, p.cpu_s, p.decoded_s, p.cpu_s / nullif(p.decoded_s, 0) AS cpu_per_s,
        len(p.clips) AS num_clips
    FROM passes AS p JOIN videos AS v ON v.video_id = p.video_id
    WHERE p.cpu_s IS NOT NULL ORDER BY p.cpu_s DESC, p.video_id LIMIT $most"""

_BY_SOURCE = """SELECT s.source, count(*) AS num_files,
        count(*) FILTER (s.status = 'failed') AS num_failed,
        count(*) FILTER (s.status = 'rejected') AS num_rejected,
        count(*) FILTER (p.status = 'failed') AS num_passes_failed,
        coalesce(sum(s.cpu_s), 0) + coalesce(sum(p.cpu_s), 0) AS cpu_s,
        coalesce(sum(p.decoded_s), 0) / 3600 AS hours
    FROM sources AS s LEFT JOIN (
        SELECT v.uris[1] AS uri, p.status, p.cpu_s, p.decoded_s
        FROM passes AS p JOIN videos AS v ON v.video_id = p.video_id) AS p ON p.uri = s.uri
    GROUP BY s.source ORDER BY cpu_s DESC, s.source LIMIT $most"""


def costs(board: Board, asked: CostQuery) -> dict[str, Any]:
    """CPU time by stage and status, of a subset's kept clips, and of the slowest files.

    Returns:
        `stages`: `stage`, `status`, `num`, `num_timed`, `cpu_s`, `most_s` of one row. `subset`:
        `cpu_hours` by stage, `num_kept`, `hours_kept`; the steps that subsets share are counted in
        full. `decoded`: `hours` of video and the `cpu_hours` that decoding and measuring took.
        `slowest` videos and `sources` as the manifest names them, the dearest first.

    Raises:
        ValueError: there is no such subset.
    """
    index = board.index
    found: dict[str, Any] = {
        "stages": board.ask(_BY_STATUS, index=index),
        "decoded": board.ask(_DECODED, index=index)[0],
        "slowest": board.ask(_SLOWEST, {"most": MOST_SOURCES}, index=index),
        "sources": board.ask(_BY_SOURCE, {"most": MOST_SOURCES}, index=index),
        "subset": None,
    }
    subset = asked.subset or next(iter(board.subsets()), "")
    if subset:
        board.decided(subset)
        name = {"subset": subset}
        seconds = board.ask(_OF_SUBSET, name, index=index)[0]
        kept = board.ask(_KEPT, name, index=index)[0]
        found["subset"] = {
            "subset": subset,
            "cpu_hours": {stage: (spent or 0.0) / 3600 for stage, spent in seconds.items()},
            "num_kept": kept["num"],
            "hours_kept": kept["hours"],
        }
    return found


ROUTES = [get("costs", costs, CostQuery)]
