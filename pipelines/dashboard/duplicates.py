"""Duplicates: which clip was kept for which others, and what a stricter threshold would free.

What is stored of a rejected duplicate is how alike it is to the clip that was kept in its place. So
it is known which duplicates a stricter threshold would take from their kept clip; whether each is
kept again then is for `moviola select` to decide, as it may be near another. Of a looser threshold
nothing is known: the pairs below the recipe's were never stored.
"""

from typing import Any, NamedTuple

from pydantic import Field

from curation.duplicates import DuplicateSettings
from curation.subsets import DUPLICATE, LATER, UNSCORED
from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.filters import Query, checked_measure
from pipelines.queries import selection_settings

BINS_PER_ONE = 200
"""Bins of the histogram of cosines, from 0 to 1: each 0.005 wide, so that thresholds are edges."""

MOST_MEMBERS = 24
"""Members of a group that are sent; the others are behind its link."""

_IS_LATER = " OR ".join(f"starts_with(d.verdict_reason, '{name}')" for name in LATER)


class DuplicatesQuery(Query):
    """The duplicates of a subset, under thresholds that are no looser than those of its recipe."""

    subset: str = Field(max_length=100)
    threshold: float | None = Field(default=None, ge=0, le=1)
    """For clips of different videos; left out, the recipe's."""
    same_video_threshold: float | None = Field(default=None, ge=0, le=1)
    """For clips of one video."""


class GroupsQuery(DuplicatesQuery):
    """A page of groups."""

    page: int = Field(default=0, ge=0, le=100_000)
    size: int = Field(default=8, ge=1, le=50)


class _Asked(NamedTuple):
    settings: DuplicateSettings | None
    pairs: str
    """SQL: the rejected duplicates of the subset."""
    params: dict[str, float]


def duplicates(board: Board, asked: DuplicatesQuery) -> dict[str, Any]:
    """How many duplicates there are, how alike they are, and how many the thresholds would free.

    Returns:
        - `settings`: `threshold`, `same_video_threshold`, `prefer`, `num_against`; null where the
          recipe was not kept;
        - `num`, `num_groups`, `num_unscored` (clips rejected as there was nothing to compare);
        - `kinds`: by `different` and `same` (video): `num`, `num_freed` (less alike than the
          threshold), `bins` (`low`, `high`, `num`), those with clips alone;
        - `num_freed`, `num_shrunk` (groups that lose some member) and `num_dissolved` (those that
          lose them all).

    Raises:
        ValueError: an unknown subset, or a threshold looser than the recipe's.
    """
    found, index = _asked(board, asked), board.index
    sizes = board.ask(
        f"""SELECT is_same, count(*) AS num, count(*) FILTER (is_freed) AS num_freed
        FROM ({found.pairs}) GROUP BY 1""",  # noqa: S608 - SQL of this module
        found.params,
        index=index,
    )
    bins = board.ask(
        f"""SELECT is_same, least(floor(cosine * {BINS_PER_ONE}), {BINS_PER_ONE - 1})::INT AS bin,
            count(*) AS num FROM ({found.pairs}) WHERE cosine >= 0 GROUP BY 1, 2 ORDER BY 2""",  # noqa: S608
        found.params,
        index=index,
    )
    [groups] = board.ask(
        f"""SELECT count(*) AS num, count(*) FILTER (num_freed > 0) AS num_shrunk,
            count(*) FILTER (num_freed = num) AS num_dissolved
        FROM (SELECT count(*) AS num, count(*) FILTER (is_freed) AS num_freed
            FROM ({found.pairs}) GROUP BY duplicate_of)""",  # noqa: S608
        found.params,
        index=index,
    )
    [unscored] = board.ask(
        f"SELECT count(*) AS num FROM {board.decided(asked.subset)} WHERE verdict_reason = $reason",  # noqa: S608
        {"reason": UNSCORED},
        index=index,
    )
    return {
        "settings": _told(found.settings),
        "num": sum(row["num"] for row in sizes),
        "num_freed": sum(row["num_freed"] for row in sizes),
        "num_groups": groups["num"],
        "num_shrunk": groups["num_shrunk"],
        "num_dissolved": groups["num_dissolved"],
        "num_unscored": unscored["num"],
        "kinds": {
            "same" if row["is_same"] else "different": {
                "num": row["num"],
                "num_freed": row["num_freed"],
                "bins": [_bin(one) for one in bins if one["is_same"] == row["is_same"]],
            }
            for row in sizes
        },
    }


def groups(board: Board, asked: GroupsQuery) -> dict[str, Any]:
    """A page of groups, the largest first: the kept clip and what was rejected for it.

    Returns:
        `num`, `page`, `size`, and `groups`: `duplicate_of`, `num`, `num_freed`, `kept` (the clip
        that was kept; null where it is in an earlier workspace or a block list) and `members`, the
        most alike first, `MOST_MEMBERS` at most. A clip is `clip_id`, `video_id`, `start_s`,
        `end_s`, `duration_s`, `width`, `height`, `is_image`, `uri`, `verdict`, `reason`, and
        `measures`: those that the recipe prefers by, in that order. A member has also `cosine`,
        `is_same` (video as the kept clip), `is_freed`, and `decided_by`: the first measure in which
        the two differ; null where it is the id, or there is nothing to compare.

    Raises:
        ValueError: what `duplicates` raises.
    """
    found, index = _asked(board, asked), board.index
    prefer = found.settings.prefer if found.settings else ()
    chosen = f"""SELECT duplicate_of, count(*) AS num, count(*) FILTER (is_freed) AS num_freed
        FROM ({found.pairs}) GROUP BY 1"""  # noqa: S608
    [total] = board.ask(f"SELECT count(*) AS num FROM ({chosen})", found.params, index=index)  # noqa: S608
    page = board.ask(
        f"{chosen} ORDER BY num DESC, duplicate_of LIMIT $size OFFSET $skipped",
        found.params | {"size": asked.size, "skipped": asked.page * asked.size},
        index=index,
    )
    clip = _clip_sql(prefer)
    wanted = {"ids": [row["duplicate_of"] for row in page]}
    table = board.decided(asked.subset)
    members = board.ask(
        f"""SELECT {clip}, p.duplicate_of, p.cosine, p.is_same, p.is_freed
        FROM ({found.pairs}) AS p JOIN {table} AS d USING (clip_id)
        LEFT JOIN videos AS v ON v.video_id = d.video_id
        WHERE list_contains($ids, p.duplicate_of)
        QUALIFY row_number() OVER (PARTITION BY p.duplicate_of ORDER BY p.cosine DESC, d.clip_id)
            <= {MOST_MEMBERS}
        ORDER BY p.cosine DESC, d.clip_id""",  # noqa: S608
        found.params | wanted,
        index=index,
    )
    # Only what the rules let pass can have been kept. Other ids are of a block list, which may even
    # name the clip that was rejected for it.
    kept = board.ask(
        f"""SELECT {clip} FROM {table} AS d LEFT JOIN videos AS v ON v.video_id = d.video_id
        WHERE list_contains($ids, d.clip_id) AND (d.verdict = 'ok' OR {_IS_LATER})""",  # noqa: S608
        wanted,
        index=index,
    )
    best = {row["clip_id"]: _shown(row, prefer) for row in kept}
    for row in page:
        own = [one for one in members if one["duplicate_of"] == row["duplicate_of"]]
        row["kept"] = best.get(row["duplicate_of"])
        row["members"] = [_member(one, row["kept"], prefer) for one in own]
    return {"num": total["num"], "page": asked.page, "size": asked.size, "groups": page}


def _asked(board: Board, asked: DuplicatesQuery) -> _Asked:
    """SQL for the duplicates with `is_same` and `is_freed`, and its values."""
    settings = selection_settings(board.workspace, asked.subset).duplicates
    params = {}
    for name in ("threshold", "same_video_threshold"):
        least = getattr(settings, name) if settings else 0.0
        value = getattr(asked, name)
        params[name] = least if value is None else value
        if params[name] < least:
            raise ValueError(
                f"{name} {params[name]:g} is looser than the recipe's {least:g}: pairs that are "
                "less alike were not stored. Select with it to see what it does."
            )
    # As `curation` compares: the stored float32 with the threshold as a double.
    pairs = f"""SELECT *, cosine < if(is_same, $same_video_threshold, $threshold) AS is_freed
        FROM (SELECT r.clip_id, r.duplicate_of, r.cosine::DOUBLE AS cosine,
                r.video_id = coalesce(k.video_id, split_part(r.duplicate_of, '-', 1)) AS is_same
            FROM {board.decided(asked.subset)} AS r
            LEFT JOIN clips AS k ON k.clip_id = r.duplicate_of
            WHERE r.verdict_reason = '{DUPLICATE}' AND r.duplicate_of IS NOT NULL)"""  # noqa: S608 - names are ours
    return _Asked(settings, pairs, params)


def _clip_sql(prefer: tuple[str, ...]) -> str:
    names = [checked_measure(name.removeprefix("-")) for name in prefer]
    measures = "".join(
        f", if(isfinite(d.{name}::DOUBLE), d.{name}::DOUBLE, NULL) AS measure_{name}"
        for name in dict.fromkeys(names)
    )
    return f"""d.clip_id, d.video_id, d.start_s, d.end_s, d.duration_s, d.width, d.height,
        d.is_image, v.uris[1] AS uri, d.verdict, d.verdict_reason AS reason{measures}"""


def _shown(row: dict[str, Any], prefer: tuple[str, ...]) -> dict[str, Any]:
    measures = {name: row[f"measure_{name.removeprefix('-')}"] for name in prefer}
    plain = {name: value for name, value in row.items() if not name.startswith("measure_")}
    return plain | {"measures": measures}


def _member(
    row: dict[str, Any], kept: dict[str, Any] | None, prefer: tuple[str, ...]
) -> dict[str, Any]:
    shown = _shown(row, prefer)
    own = shown["measures"]
    differing = (name for name in prefer if kept and kept["measures"][name] != own[name])
    return shown | {"decided_by": next(differing, None)}


def _bin(row: dict[str, Any]) -> dict[str, Any]:
    low = row["bin"] / BINS_PER_ONE
    return {"low": low, "high": low + 1 / BINS_PER_ONE, "num": row["num"]}


def _told(settings: DuplicateSettings | None) -> dict[str, Any] | None:
    if settings is None:
        return None
    return {
        "threshold": settings.threshold,
        "same_video_threshold": settings.same_video_threshold,
        "prefer": list(settings.prefer),
        "num_against": len(settings.against),
    }


ROUTES = [
    get("duplicates", duplicates, DuplicatesQuery),
    get("duplicates/groups", groups, GroupsQuery),
]
