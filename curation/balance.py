"""What the kept clips of a subset weigh, by the concepts that they make together.

Functions that take verdicts (`tables.SELECTION`) of one subset return them in the same order.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation import tables
from curation.concepts import Concepts
from curation.resampling import ResamplingSettings, resample
from curation.subsets import concept_embeddings, kept_ids, with_values
from curation.views import Rows, connect

PEOPLE_LIKELY = 0.5
"""Probability of `people` from which a clip counts as showing some."""


class Kind(NamedTuple):
    """What quotas ask of a clip."""

    landscape: bool
    people: bool


def kinds(clips: Rows, videos: Rows, scores: Rows) -> dict[str, Kind]:
    """Of every clip, whether it is wider than high and whether it shows people.

    A clip without the score `people`, or without a size, does not.
    """
    with connect({"clips": clips, "videos": videos, "scores": scores}) as connection:
        rows = connection.execute(
            "SELECT clip_id, coalesce(aspect > 1, false), coalesce(people >= $likely, false) "
            "FROM clips",
            {"likely": PEOPLE_LIKELY},
        ).fetchall()
    return {clip_id: Kind(landscape, people) for clip_id, landscape, people in rows}


def concept_inputs(
    verdicts: Sequence[pa.Table], scores: Rows
) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Ids, sorted, and concept embeddings, `[N, D]`, of the clips that some subset keeps.

    Clips without an embedding are left out.
    """
    kept = [chunk for one in verdicts for chunk in kept_ids(one).chunks]
    return concept_embeddings(scores, pa.chunked_array(kept, pa.string()).unique())


def weighed(
    verdicts: pa.Table,
    clip_ids: Sequence[str],
    concepts: Concepts,
    kinds: Mapping[str, Kind],
    settings: ResamplingSettings | None,
) -> pa.Table:
    """The verdicts with `concept_id`, and with weight and copies where resampling is wanted.

    A kept clip without a concept keeps weight 1 and one copy.

    Args:
        verdicts: so far.
        clip_ids: `[N]`, the clips of `concepts.ids`.
        concepts: the concept of each of these clips.
        kinds: what quotas ask of each.
        settings: null leaves all at weight 1.

    Raises:
        ValueError: what `resample` raises.
    """
    concept_of = dict(zip(clip_ids, concepts.ids.tolist(), strict=True))
    own = [clip_id for clip_id in kept_ids(verdicts).to_pylist() if clip_id in concept_of]
    ids = np.array([concept_of[clip_id] for clip_id in own], np.int64)
    verdicts = with_values(verdicts, "concept_id", dict(zip(own, ids.tolist(), strict=True)))
    if settings is None:
        return verdicts
    asked = np.array([kinds[clip_id] for clip_id in own], bool).reshape(len(own), len(Kind._fields))
    found = resample(own, ids, asked[:, 0], asked[:, 1], settings)
    weights, copies = found.weights.tolist(), found.copies.tolist()
    verdicts = with_values(verdicts, "weight", dict(zip(own, weights, strict=True)))
    return with_values(verdicts, "copies", dict(zip(own, copies, strict=True)))


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
