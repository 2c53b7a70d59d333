"""What comes after the rules: clips that still go, for what a rule on one clip cannot see.

First duplicates, then what no phrase retrieves, then what no person keeps.

Every function takes verdicts (`tables.SELECTION`) of one subset and returns them with more decided,
in the same order, one row per clip. Later steps see only what earlier ones keep.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from curation import tables
from curation.copy_embeddings import frame_embeddings
from curation.duplicates import find_duplicates
from curation.embedded_clips import NONE, EmbeddedClips
from curation.retrieval import RetrievalSettings, read_seeds, retrieve
from curation.review import review_reasons
from curation.rules import MEASURES
from curation.selection import AUDIT_SQL, SelectionSettings
from curation.stars import KEEP, Decision
from curation.views import Rows, connect

DUPLICATE = "duplicate"
UNSCORED = f"{DUPLICATE}:unscored"
RETRIEVAL = "retrieval"
LATER = (RETRIEVAL, "review:")
"""What reasons begin with that only clips get which are no duplicates."""


class Rejection(NamedTuple):
    """A clip that goes; the names are those of no column of `tables.SELECTION`."""

    rejected_id: str
    why: str
    better_id: str | None = None
    likeness: float | None = None


def without_duplicates(
    verdicts: pa.Table,
    settings: SelectionSettings,
    clips: Rows,
    videos: Rows,
    scores: Rows,
    *,
    known: EmbeddedClips = NONE,
    earlier: pa.Table | None = None,
) -> pa.Table:
    """The verdicts with duplicates rejected, for the better clip in `duplicate_of`.

    A kept clip without a copy embedding is rejected as `duplicate:unscored`.

    Args:
        verdicts: what the rules leave.
        settings: its `duplicates` are not null.
        clips: table `clips`.
        videos: table `videos`.
        scores: table `scores`.
        known: what is in the block lists.
        earlier: verdicts of an earlier run on the same measures and embeddings. Where they are of
            the same settings, only clips that are new are compared with the others.

    Raises:
        ValueError: what `find_duplicates` raises.
    """
    assert settings.duplicates is not None
    kept = kept_ids(verdicts)
    embedded, _ = frame_embeddings(_of_clips(scores, kept))
    order = _by_quality(clips, videos, scores, settings.duplicates.prefer)
    place = pc.index_in(pa.array(embedded.ids, pa.string()), value_set=order)
    decisions = find_duplicates(
        embedded,
        -np.asarray(place, np.float64),
        settings.duplicates,
        known=known,
        decided=None if known.ids or earlier is None else _decided(earlier, verdicts),
    )
    found = dict(zip(embedded.ids, decisions, strict=True))
    rows: list[Rejection] = []
    for clip_id in kept.to_pylist():
        decision = found.get(clip_id)
        if decision is None:
            rows.append(Rejection(clip_id, UNSCORED))
        elif decision.duplicate_of is not None:
            rows.append(Rejection(clip_id, DUPLICATE, decision.duplicate_of, decision.cosine))
    return _rejected(verdicts, rows, settings)


def retrieved(
    verdicts: pa.Table,
    settings: SelectionSettings,
    retrieval: RetrievalSettings,
    scores: Rows,
    phrases: Sequence[str],
    phrase_embeddings: npt.NDArray[np.float32],
) -> pa.Table:
    """The verdicts with every clip rejected that no phrase retrieves, and `phrase` where one does.

    A clip that several retrieve is told by the phrase it is nearest to, or of whose seeds. A kept
    clip without a concept embedding is rejected as `retrieval:unscored`.

    Args:
        verdicts: so far.
        settings: for the audit share.
        retrieval: how many clips of a phrase, and around which seeds.
        scores: table `scores`.
        phrases: `[P]`.
        phrase_embeddings: `[P, D]`, in the space of the concept embeddings.

    Raises:
        ValueError: what `read_seeds` and `retrieve` raise.
    """
    kept = kept_ids(verdicts)
    seeds = read_seeds(retrieval.seeds) if retrieval.seeds else []
    wanted = pa.array([*kept.to_pylist(), *(seed.clip_id for seed in seeds)], pa.string())
    ids, embeddings = concept_embeddings(scores, wanted.unique())
    eligible = pc.is_in(pa.array(ids, pa.string()), value_set=kept)
    # Seeds, once people have picked them, stand for their phrases.
    retrieval = retrieval.model_copy(update={"k_text": 0}) if seeds else retrieval
    found = retrieve(
        ids, embeddings, phrases, phrase_embeddings, seeds, retrieval, np.asarray(eligible, bool)
    )
    nearest: dict[str, str] = {}
    for row in found.sort_by([("cosine", "descending")]).to_pylist():
        nearest.setdefault(row["clip_id"], row["phrase"])
    embedded = set(ids)
    rows: list[Rejection] = []
    for clip_id in kept.to_pylist():
        if clip_id not in nearest:
            why = RETRIEVAL if clip_id in embedded else f"{RETRIEVAL}:unscored"
            rows.append(Rejection(clip_id, why))
    return with_values(_rejected(verdicts, rows, settings), "phrase", nearest)


def reviewed(
    verdicts: pa.Table, settings: SelectionSettings, subset: str, reviews: pa.Table
) -> pa.Table:
    """The verdicts with every clip rejected that no person has kept (see `curation.review`).

    Args:
        verdicts: so far.
        settings: for the audit share.
        subset: its name.
        reviews: rows of table `reviews`.
    """
    kept = kept_ids(verdicts)
    reasons = review_reasons(subset, kept, reviews)
    pairs = zip(kept.to_pylist(), reasons.to_pylist(), strict=True)
    return _rejected(verdicts, [Rejection(i, why) for i, why in pairs if why], settings)


def concept_embeddings(
    scores: Rows, clip_ids: pa.ChunkedArray | pa.Array
) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Ids, sorted, and concept embeddings, `[N, D]`, of those of the clips that have one."""
    found = _of_clips(scores, clip_ids).to_table(columns=["clip_id", "concept_embedding"])
    found = found.filter(pc.is_valid(found["concept_embedding"])).sort_by("clip_id")
    ids: list[str] = found["clip_id"].to_pylist()
    numbers = found["concept_embedding"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    width = len(numbers) // max(1, len(ids))
    return ids, numbers.reshape(len(ids), width).astype(np.float32)


def with_values(verdicts: pa.Table, column: str, values: Mapping[str, object]) -> pa.Table:
    """The verdicts with values in a column by clip id; clips that are not named keep theirs."""
    ids, old = verdicts["clip_id"].to_pylist(), verdicts[column].to_pylist()
    new = [values.get(clip_id, value) for clip_id, value in zip(ids, old, strict=True)]
    field = tables.SELECTION.field(column)
    place = tables.SELECTION.get_field_index(column)
    return verdicts.set_column(place, field, pa.array(new, field.type))


def kept_ids(verdicts: pa.Table) -> pa.ChunkedArray:
    """The ids of the clips that are kept so far."""
    return verdicts.filter(pc.equal(verdicts["status"], tables.OK))["clip_id"]


def _of_clips(scores: Rows, ids: pa.ChunkedArray | pa.Array) -> ds.Dataset:
    rows = ds.dataset(scores) if isinstance(scores, pa.Table) else scores
    # From a chunked array without chunks, `isin` takes no type.
    one = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    return rows.filter(pc.field("clip_id").isin(one))


def _by_quality(clips: Rows, videos: Rows, scores: Rows, prefer: Sequence[str]) -> pa.Array:
    """The ids of all clips, the best first; a measure that is missing counts as the worst."""
    keys = []
    for name in prefer:
        measure, way = name.removeprefix("-"), "ASC" if name.startswith("-") else "DESC"
        assert measure in MEASURES, measure
        keys.append(f"if(isfinite({measure}::DOUBLE), {measure}, NULL) {way} NULLS LAST")
    with connect({"clips": clips, "videos": videos, "scores": scores}) as connection:
        order = ", ".join([*keys, "clip_id"])
        rows = connection.sql(f"SELECT clip_id FROM clips ORDER BY {order}")  # noqa: S608 - names are checked
        return rows.to_arrow_table()["clip_id"].combine_chunks()


def _decided(earlier: pa.Table, verdicts: pa.Table) -> dict[str, Decision]:
    """What was decided on duplicates, by the verdicts of the same settings."""
    same = pc.is_in(earlier["fingerprint"], value_set=verdicts["fingerprint"].unique())
    found = {}
    for row in earlier.filter(same).to_pylist():
        if row["reason"] == DUPLICATE:
            found[row["clip_id"]] = Decision(row["duplicate_of"], row["cosine"])
        elif row["status"] == tables.OK or row["reason"].startswith(LATER):
            found[row["clip_id"]] = KEEP
    return found


def _rejected(
    verdicts: pa.Table,
    rows: Sequence[Rejection],
    settings: SelectionSettings,
) -> pa.Table:
    """The verdicts with these clips rejected."""
    kinds = [pa.string(), pa.string(), pa.string(), pa.float32()]
    schema = pa.schema(list(zip(Rejection._fields, kinds, strict=True)))
    found = pa.Table.from_pylist([row._asdict() for row in rows], schema=schema)
    with duckdb.connect() as connection:
        connection.register("verdicts", verdicts)
        connection.register("found", found)
        return (
            connection.sql(
                f"""SELECT v.* REPLACE (
                if(why IS NULL, status, '{tables.REJECTED}') AS status,
                coalesce(why, reason) AS reason,
                audit OR (why IS NOT NULL AND {AUDIT_SQL}) AS audit,
                coalesce(better_id, duplicate_of) AS duplicate_of,
                coalesce(likeness, cosine) AS cosine)
            FROM verdicts AS v LEFT JOIN found ON rejected_id = clip_id
            ORDER BY clip_id""",  # noqa: S608 - no text of a user's
                params={"seed": str(settings.seed), "audit_share": settings.audit_share},
            )
            .to_arrow_table()
            .cast(tables.SELECTION)
        )
