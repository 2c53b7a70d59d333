"""Which captioner captions a clip, and which of its captions a subset trains on: both by hash.

Weighted rendezvous hashing: a clip's captioners stand in an order that depends on the clip's id and
on the weights alone; each stands first for its share of the clips. So another share moves only the
clips it has to, and a captioner that is added takes only its own.
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from curation import tables
from curation.shards import TAKEN
from curation.views import Rows, connect

RANK = """-ln((md5_number_lower(clip_id || ':' || {name}) + 0.5) / pow(2, 64)) / {weight}"""
"""SQL: exponential with rate `weight`, so the least of several is each one's with its share."""


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
) -> pa.Table:
    """Which of its captions each clip is trained on, with columns `curation.shards.TAKEN`.

    A clip that has captions, and none that may be taken, has `caption_refused` and no caption; one
    that has none at all is missing.

    Args:
        captions: the tables of captions, by their names `captions/<captioner>`.
        weights: of the captioners, by name. Of a clip's captions each is taken with its weight's
            share, by hash; those of a captioner with no weight are not taken.
        refused: flags that a caption may not have.
        least_camera_confidence: of the camera motion that goes before the caption.
    """
    known = {name: weight for name, weight in weights.items() if weight > 0}
    with connect(captions) as connection:
        connection.register("weights", _weights(known))
        rank = RANK.format(name="captioner", weight="weight")
        found = connection.sql(
            f"""WITH there AS (SELECT clip_id, captioner, weight, weight IS NOT NULL
                    AND NOT list_has_any(flags, $refused::VARCHAR[]) AS fits,
                    CASE WHEN camera_confidence >= $least::FLOAT
                        THEN upper(camera[1]) || camera[2:] || '.' END AS camera_prefix,
                    caption, prompt_version, flags
                FROM captions LEFT JOIN weights USING (captioner)
                WHERE status = '{tables.OK}' AND caption <> '')
            SELECT clip_id, if(fits, camera_prefix, NULL) AS camera_prefix,
                if(fits, caption, NULL) AS caption, if(fits, captioner, NULL) AS captioner,
                if(fits, prompt_version, NULL) AS prompt_version,
                if(fits, flags, NULL) AS caption_flags, NOT fits AS caption_refused
            FROM there QUALIFY row_number()
                OVER (PARTITION BY clip_id ORDER BY fits DESC, {rank} NULLS LAST, captioner) = 1
            ORDER BY clip_id""",  # noqa: S608 - SQL of this module
            params={"least": least_camera_confidence, "refused": list(refused)},
        )
        return found.to_arrow_table().cast(TAKEN)


def _weights(weights: Mapping[str, float]) -> pa.Table:
    columns = [pa.array(list(weights), pa.string()), pa.array(weights.values(), pa.float64())]
    return pa.table(columns, names=["captioner", "weight"])
