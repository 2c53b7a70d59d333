"""Which captioner captions a clip, and which of its captions a subset trains on: both by hash.

Weighted rendezvous hashing: a clip's captioners stand in an order that depends on the clip's id and
on the weights alone; each stands first for its share of the clips. So another share moves only the
clips it has to, and a captioner that is added takes only its own.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import pyarrow as pa

from curation import tables
from curation.caption_reviews import SAID
from curation.shards import TAKEN
from curation.views import Rows, connect

RANK = """-ln((md5_number_lower(clip_id || ':' || {name}) + 0.5) / pow(2, 64)) / {weight}"""
"""SQL: exponential with rate `weight`, so the least of several is each one's with its share."""


Reviews = Literal["apply", "required"]

EDITED = "edited"
"""Stands for the version of a prompt where a person wrote the caption."""


def assigned(clip_ids: pa.Array, shares: Mapping[str, float], per_clip: int) -> dict[str, pa.Array]:
    """The ids of the clips that each captioner captions, sorted.

    Args:
        clip_ids: each once.
        shares: of the captioners, by name; they need not add up to 1, and 0 is none.
        per_clip: captioners that caption each clip.
    """
    known = {name: share for name, share in shares.items() if share > 0}
    if not known:
        return {}
    with connect({}) as connection:
        connection.register("ids", pa.table({"clip_id": clip_ids.cast(pa.string())}))
        connection.register("shares", _weights(known))
        rank = RANK.format(name="captioner", weight="weight")
        found = connection.sql(
            f"""SELECT captioner, clip_id FROM ids CROSS JOIN shares
            QUALIFY row_number() OVER (PARTITION BY clip_id ORDER BY {rank}) <= $per_clip
            ORDER BY clip_id""",  # noqa: S608 - SQL of this module
            params={"per_clip": per_clip},
        ).to_arrow_table()
    names = found["captioner"].to_pylist()
    ids = found["clip_id"].to_pylist()
    return {
        name: pa.array([one for one, by in zip(ids, names, strict=True) if by == name], pa.string())
        for name in known
    }


def chosen_captions(
    captions: Mapping[str, Rows],
    weights: Mapping[str, float],
    refused: Sequence[str],
    least_camera_confidence: float,
    reviews: Reviews | None = None,
) -> pa.Table:
    """Which of its captions each clip is trained on, with columns `curation.shards.TAKEN`.

    A clip that has captions, and none that may be taken, has `caption_refused` and no caption; one
    that has none at all is missing.

    Args:
        captions: the tables of captions, by their names `captions/<captioner>`, and
            `caption_reviews`.
        weights: of the captioners, by name. Of a clip's captions each is taken with its weight's
            share, by hash; those of a captioner with no weight are not taken.
        refused: flags that a caption may not have, unless a person accepted or wrote it.
        least_camera_confidence: of the camera motion that goes before the caption.
        reviews: what the verdicts of people on captions do: `SubsetSettings.caption_reviews`.
    """
    known = {name: weight for name, weight in weights.items() if weight > 0}
    with connect(captions) as connection:
        connection.register("weights", _weights(known))
        rank = RANK.format(name="captioner", weight="weight")
        found = connection.sql(
            f"""WITH judged AS (SELECT c.*, w.weight, v.verdict, v.caption AS edited
                FROM captions AS c LEFT JOIN weights AS w ON w.captioner = c.captioner
                LEFT JOIN (FROM ({SAID}) WHERE $reviews IS NOT NULL) AS v
                    ON v.clip_id = c.clip_id AND v.captioner = c.captioner
                        AND v.reviewed = c.caption
                WHERE c.status = '{tables.OK}'),
            there AS (SELECT clip_id, captioner, weight, weight IS NOT NULL AND CASE
                        WHEN verdict IS NOT NULL THEN verdict <> 'reject'
                        WHEN $reviews = 'required' THEN false
                        ELSE NOT list_has_any(flags, $refused::VARCHAR[]) END AS fits,
                    CASE WHEN camera_confidence >= $least::FLOAT
                        THEN upper(camera[1]) || camera[2:] || '.' END AS camera_prefix,
                    coalesce(edited, caption) AS caption,
                    if(edited IS NULL, prompt_version, '{EDITED}') AS prompt_version,
                    if(verdict IS NULL, flags, []) AS flags,
                    coalesce(verdict IN ('accept', 'edit'), false) AS judged
                FROM judged WHERE coalesce(edited, caption) <> '')
            SELECT clip_id, if(fits, camera_prefix, NULL) AS camera_prefix,
                if(fits, caption, NULL) AS caption, if(fits, captioner, NULL) AS captioner,
                if(fits, prompt_version, NULL) AS prompt_version,
                if(fits, flags, NULL) AS caption_flags, NOT fits AS caption_refused,
                fits AND judged AS caption_judged
            FROM there QUALIFY row_number()
                OVER (PARTITION BY clip_id ORDER BY fits DESC, {rank} NULLS LAST, captioner) = 1
            ORDER BY clip_id""",  # noqa: S608 - SQL of this module
            params={
                "least": least_camera_confidence,
                "refused": list(refused),
                "reviews": reviews,
            },
        )
        return found.to_arrow_table().cast(TAKEN)


def overruled(samples: Rows, said: Rows, reviews: Reviews | None) -> pa.Array:
    """The clips whose sample carries a caption that its subset would not take from there any more.

    Samples keep what they carry when captions are written again, so what counts is what was said of
    the words that they have: they were rejected, or others were put in their place; or, for
    `required`, nobody has accepted or written them.

    Args:
        samples: rows of `shards/<subset>`.
        said: table `caption_reviews`.
        reviews: `SubsetSettings.caption_reviews`.
    """
    if reviews is None or (reviews == "apply" and _is_empty(said)):
        return pa.array([], pa.string())
    with connect({"caption_reviews": said}) as connection:
        connection.register("samples", samples)
        found = connection.sql(
            f"""WITH said AS ({SAID}),
            carried AS (SELECT clip_id, captioner, caption FROM samples
                WHERE status = '{tables.OK}' AND caption IS NOT NULL),
            written AS (SELECT clip_id, captioner, caption FROM caption_reviews
                WHERE verdict = 'edit'),
            valid AS (SELECT clip_id, captioner, caption FROM said WHERE verdict = 'edit')
            SELECT c.clip_id FROM carried AS c LEFT JOIN said AS s
                ON s.clip_id = c.clip_id AND s.captioner = c.captioner AND s.reviewed = c.caption
            WHERE CASE WHEN s.verdict IS NOT NULL THEN s.verdict <> 'accept'
                WHEN (c.clip_id, c.captioner, c.caption) IN (FROM valid) THEN false
                WHEN (c.clip_id, c.captioner, c.caption) IN (FROM written) THEN true
                ELSE $reviews = 'required' END
            ORDER BY c.clip_id""",  # noqa: S608 - SQL of this module
            params={"reviews": reviews},
        ).to_arrow_table()
    return found["clip_id"].combine_chunks()


def _is_empty(rows: Rows) -> bool:
    num_rows: int = rows.num_rows if isinstance(rows, pa.Table) else rows.count_rows()
    return num_rows == 0


def _weights(weights: Mapping[str, float]) -> pa.Table:
    columns = [pa.array(list(weights), pa.string()), pa.array(weights.values(), pa.float64())]
    return pa.table(columns, names=["captioner", "weight"])
