"""From what the rules leave to what a subset trains on.

Duplicates go, then clips that people did not keep; what is left is weighed by its concept.

Every function takes verdicts (`tables.SELECTION`) of one subset and returns them with more decided,
in the same order, one row per clip. Later steps see only what earlier ones keep.
"""

from collections.abc import Mapping, Sequence

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from curation import tables
from curation.concepts import Concepts
from curation.copy_embeddings import frame_embeddings
from curation.duplicates import find_duplicates
from curation.embedded_clips import NONE, EmbeddedClips
from curation.resampling import ResamplingSettings, resample
from curation.review import review_reasons
from curation.rules import MEASURES
from curation.selection import AUDIT_SQL, SelectionSettings
from curation.stars import KEEP, Decision
from curation.views import Rows, connect

DUPLICATE = "duplicate"
UNSCORED = f"{DUPLICATE}:unscored"


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
    kept = _kept(verdicts)
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
    rows: list[tuple[str, str, str | None, float | None]] = []
    for clip_id in kept.to_pylist():
        decision = found.get(clip_id)
        if decision is None:
            rows.append((clip_id, UNSCORED, None, None))
        elif decision.duplicate_of is not None:
            rows.append((clip_id, DUPLICATE, decision.duplicate_of, decision.cosine))
    return _rejected(verdicts, rows, settings)


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
    kept = _kept(verdicts)
    reasons = review_reasons(subset, kept, reviews)
    pairs = zip(kept.to_pylist(), reasons.to_pylist(), strict=True)
    return _rejected(verdicts, [(i, why, None, None) for i, why in pairs if why], settings)


def concept_inputs(
    verdicts: Sequence[pa.Table], scores: Rows
) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Ids, sorted, and concept embeddings, `[N, D]`, of the clips that some subset keeps.

    Clips without an embedding are left out.
    """
    kept = pa.chunked_array([chunk for one in verdicts for chunk in _kept(one).chunks], pa.string())
    found = _of_clips(scores, kept.unique()).to_table(columns=["clip_id", "concept_embedding"])
    found = found.filter(pc.is_valid(found["concept_embedding"])).sort_by("clip_id")
    ids: list[str] = found["clip_id"].to_pylist()
    numbers = found["concept_embedding"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    width = len(numbers) // max(1, len(ids))
    return ids, numbers.reshape(len(ids), width).astype(np.float32)


def weighed(
    verdicts: pa.Table,
    clip_ids: Sequence[str],
    concepts: Concepts,
    landscape: Mapping[str, bool],
    settings: ResamplingSettings | None,
) -> pa.Table:
    """The verdicts with `concept_id`, and with weight and copies where resampling is wanted.

    A kept clip without a concept keeps weight 1 and one copy.

    Args:
        verdicts: so far.
        clip_ids: `[N]`, the clips of `concepts.ids`.
        concepts: the concept of each of these clips.
        landscape: whether each is wider than high.
        settings: null leaves all at weight 1.

    Raises:
        ValueError: what `resample` raises.
    """
    concept_of = dict(zip(clip_ids, concepts.ids.tolist(), strict=True))
    own = [clip_id for clip_id in _kept(verdicts).to_pylist() if clip_id in concept_of]
    ids = np.array([concept_of[clip_id] for clip_id in own], np.int64)
    columns = {"concept_id": dict(zip(own, ids.tolist(), strict=True))}
    if settings is not None:
        wide = np.array([landscape[clip_id] for clip_id in own], bool)
        found = resample(own, ids, wide, np.zeros(len(own), bool), settings)
        columns["weight"] = dict(zip(own, found.weights.tolist(), strict=True))
        columns["copies"] = dict(zip(own, found.copies.tolist(), strict=True))
    every = verdicts["clip_id"].to_pylist()
    for name, values in columns.items():
        place = tables.SELECTION.get_field_index(name)
        old = verdicts[name].to_pylist()
        new = [values.get(clip_id, value) for clip_id, value in zip(every, old, strict=True)]
        field = tables.SELECTION.field(name)
        verdicts = verdicts.set_column(place, field, pa.array(new, field.type))
    return verdicts


def with_sizes(found: pa.Table, verdicts: Mapping[str, pa.Table], fingerprint: str) -> pa.Table:
    """The concepts with what each subset has of them, before and after resampling.

    Args:
        found: `Concepts.table`.
        verdicts: by subset, as `weighed` returns them.
        fingerprint: names what the concepts depend on.
    """
    has: list[list[dict[str, object]]] = [[] for _ in range(found.num_rows)]
    for subset, rows in verdicts.items():
        own = rows.filter(pc.is_valid(rows["concept_id"]))
        ids = np.asarray(own["concept_id"], np.int64)
        sizes = np.bincount(ids, minlength=found.num_rows)
        weights = np.bincount(ids, np.asarray(own["weight"]), minlength=found.num_rows)
        for concept in np.flatnonzero(sizes):
            size = {"size": int(sizes[concept]), "resampled_size": float(weights[concept])}
            has[concept].append({"subset": subset, **size})
    columns = {"subsets": has, "fingerprint": [fingerprint] * found.num_rows}
    for name, values in columns.items():
        field = tables.CONCEPTS.field(name)
        place = tables.CONCEPTS.get_field_index(name)
        found = found.set_column(place, field, pa.array(values, field.type))
    return found


def _kept(verdicts: pa.Table) -> pa.ChunkedArray:
    return verdicts.filter(pc.equal(verdicts["status"], tables.OK))["clip_id"]


def _of_clips(scores: Rows, ids: pa.ChunkedArray | pa.Array) -> ds.Dataset:
    rows = ds.dataset(scores) if isinstance(scores, pa.Table) else scores
    return rows.filter(pc.field("clip_id").isin(ids))


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
        elif row["status"] == tables.OK or row["reason"].startswith("review:"):
            found[row["clip_id"]] = KEEP
    return found


def _rejected(
    verdicts: pa.Table,
    rows: Sequence[tuple[str, str, str | None, float | None]],
    settings: SelectionSettings,
) -> pa.Table:
    """The verdicts with these clips rejected: id, reason, `duplicate_of`, `cosine`."""
    names = ("rejected_id", "why", "better_id", "likeness")
    kinds = [pa.string(), pa.string(), pa.string(), pa.float32()]
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    found = pa.table(
        [pa.array(list(one), kind) for one, kind in zip(columns, kinds, strict=True)], names
    )
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
