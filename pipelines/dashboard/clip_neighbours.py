"""What lies around a clip: its video's other clips, what shows the same, what is alike."""

from typing import Any

from pipelines.dashboard.board import Board

AROUND = 6
"""Clips of the video that are shown before and after."""

MOST_SAME = 48
"""Clips that are shown of a group of duplicates."""

MOST_ALIKE = 12
"""Clips that are shown of its concept."""

_SHOWN = """d.clip_id, d.video_id, d.start_s, d.end_s, d.duration_s, d.is_image, d.verdict,
    d.verdict_reason AS reason"""
"""What a tile needs."""

_ALIKE = """WITH own AS (
    SELECT map_from_entries([(one.label, one.score) FOR one IN concept_labels]) AS labels
    FROM scores WHERE clip_id = $clip)
SELECT {shown}, list_sum([one.score * coalesce(own.labels[one.label], 0)
    FOR one IN s.concept_labels]) AS value
FROM {table} AS d JOIN scores AS s ON s.clip_id = d.clip_id, own
WHERE d.concept_id = $concept AND d.clip_id <> $clip
ORDER BY value DESC NULLS LAST, d.clip_id LIMIT {most}"""


def neighbours(board: Board, subset: str, clip_id: str) -> dict[str, Any]:
    """The clips around a clip, as tiles need them, with their verdicts in a subset.

    Returns:
        - `video`: `num` clips, `place` of this one among them from 0, `previous` and `next`
          (`clip_id`, or null) and `clips` around it, in time;
        - `same`: `kept` (the clip that all are duplicates of), `num` of the group, and `clips`,
          that one first and then the likest; empty where nothing shows the same;
        - `concept`: `concept_id`, `name`, `num`, and `clips` that the concept model has the likest
          words for; null where it has no concept.

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
        "concept": _alike(board, table, clip["concept_id"], clip_id),
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


def _alike(board: Board, table: str, concept: int | None, clip_id: str) -> dict[str, Any] | None:
    named = board.ask(
        f"""SELECT concept_id, name,
            (SELECT count(*) FROM {table} WHERE concept_id = $concept) AS num
        FROM concepts WHERE concept_id = $concept""",  # noqa: S608
        {"concept": concept},
    )
    if not named:
        return None
    alike = board.ask(
        _ALIKE.format(shown=_SHOWN, table=table, most=MOST_ALIKE),
        {"concept": concept, "clip": clip_id},
    )
    return named[0] | {"clips": alike}
