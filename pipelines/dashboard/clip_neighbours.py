"""What lies around a clip: its video's other clips, what shows the same, what is alike."""

from typing import Any

from pipelines.dashboard.board import Board
from pipelines.dashboard.looks import NEAREST, cosines

AROUND = 6
"""Clips of the video that are shown before and after."""

MOST_SAME = 48
"""Clips that are shown of a group of duplicates."""

MOST_ALIKE = 12
"""Clips of other videos that are shown."""

_SHOWN = """d.clip_id, d.video_id, d.start_s, d.end_s, d.duration_s, d.is_image, d.verdict,
    d.verdict_reason AS reason"""
"""What a tile needs."""


def neighbours(board: Board, subset: str, clip_id: str) -> dict[str, Any]:
    """The clips around a clip, as tiles need them, with their verdicts in a subset.

    Returns:
        - `video`: `num` clips, `place` of this one among them from 0, `previous` and `next`
          (`clip_id`, or null) and `clips` around it, in time;
        - `same`: `kept` (the clip that all are duplicates of), `num` of the group, and `clips`,
          that one first and then the likest; empty where nothing shows the same;
        - `alike`: `clips` of other videos that look the most alike, duplicates of it left out,
          with the cosine of their concept embeddings as `value`; null where it has none;
        - `concept`: `concept_id`, `name` and `num` clips; null where it has no concept.

    Raises:
        ValueError: there is no such subset.
        FileNotFoundError: the subset has no such clip.
    """
    table, index = board.decided(subset), board.index
    found = board.ask(
        f"SELECT video_id, duplicate_of, concept_id FROM {table} WHERE clip_id = $clip",  # noqa: S608 - names are ours
        {"clip": clip_id},
        index=index,
    )
    if not found:
        raise FileNotFoundError(f"subset {subset} has no clip {clip_id[:100]!r}")
    [clip] = found
    kept = clip["duplicate_of"] or clip_id
    same = board.ask(
        f"""SELECT {_SHOWN}, d.cosine AS value, count(*) OVER () AS num FROM {table} AS d
        WHERE d.clip_id = $kept OR d.duplicate_of = $kept
        ORDER BY d.clip_id <> $kept, d.cosine DESC, d.clip_id LIMIT {MOST_SAME}""",  # noqa: S608
        {"kept": kept},
        index=index,
    )
    num = same[0].pop("num") if same else 0
    return {
        "video": _of_video(board, table, clip["video_id"], clip_id),
        "same": {"kept": kept, "num": num, "clips": same} if num > 1 else {"clips": []},
        "alike": _alike(board, table, kept, clip_id),
        "concept": _concept(board, table, clip["concept_id"]),
    }


def _of_video(board: Board, table: str, video_id: str, clip_id: str) -> dict[str, Any]:
    rows = board.ask(
        f"SELECT {_SHOWN} FROM {table} AS d WHERE d.video_id = $video ORDER BY start_s, clip_id",  # noqa: S608
        {"video": video_id},
    )
    ids = [row["clip_id"] for row in rows]
    place = ids.index(clip_id)
    first = max(0, place - AROUND)
    return {
        "num": len(ids),
        "place": place,
        "previous": ids[place - 1] if place else None,
        "next": ids[place + 1] if place + 1 < len(ids) else None,
        "clips": rows[first : place + AROUND + 1],
    }


def _alike(board: Board, table: str, kept: str, clip_id: str) -> dict[str, Any] | None:
    if not board.ask("FROM looks WHERE clip_id = $clip", {"clip": clip_id}):
        return None
    near = board.ask(
        f"""SELECT {_SHOWN}, n.code, n.own_code FROM ({NEAREST}) AS n
        JOIN {table} AS d ON d.clip_id = n.clip_id
        WHERE coalesce(d.duplicate_of, d.clip_id) <> $kept""",  # noqa: S608 - names are ours
        {"clip": clip_id, "kept": kept},
    )
    own = [one.pop("own_code") for one in near]
    values = cosines(own[0], [one.pop("code") for one in near]) if near else ()
    clips = [one | {"value": float(value)} for one, value in zip(near, values, strict=True)]
    clips.sort(key=lambda one: (-one["value"], one["clip_id"]))
    return {"clips": clips[:MOST_ALIKE]}


def _concept(board: Board, table: str, concept: int | None) -> dict[str, Any] | None:
    found = board.ask(
        f"""SELECT concept_id, name,
            (SELECT count(*) FROM {table} WHERE concept_id = $concept) AS num
        FROM concepts WHERE concept_id = $concept""",  # noqa: S608
        {"concept": concept},
    )
    return found[0] if found else None
