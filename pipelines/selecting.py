"""The selections of all subsets of a recipe, from what is committed; writes nothing."""

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation import concepts, tables
from curation.balance import concept_inputs, kinds, weighed, with_sizes
from curation.clips import ClipsStage
from curation.concepts import Concepts, ConceptSettings, group, still_hold
from curation.embedded_clips import NONE, EmbeddedClips
from curation.models.model import ConceptModel
from curation.scores import models
from curation.selection import select
from curation.settings import fingerprint
from curation.subsets import kept_ids, retrieved, reviewed, without_duplicates
from curation.views import Rows
from pipelines.assets import cache_folder
from pipelines.blocklists import read_blocklists
from pipelines.recipe import Recipe
from pipelines.workspace import Workspace

Vocabulary = tuple[list[str], npt.NDArray[np.float32]]
"""Names `[L]`, and their embeddings `[L, D]`."""


class Selected(NamedTuple):
    """What is decided."""

    verdicts: dict[str, pa.Table]
    """`tables.SELECTION` by subset."""

    concepts: pa.Table
    """`tables.CONCEPTS`, empty where the recipe wants none."""


def select_all(
    recipe: Recipe, workspace: Workspace, clips: Rows, videos: Rows, scores: Rows
) -> Selected:
    """The verdicts on every clip for every subset, and the concepts that the kept clips make.

    Args:
        recipe: what to select.
        workspace: for block lists, reviews, and what was decided before.
        clips: table `clips`.
        videos: table `videos`.
        scores: table `scores`.

    Raises:
        ValueError: a block list that cannot be read, or quotas that cannot be met.
        StorageError: a table cannot be read.
    """
    settings = recipe.selection
    names = [f"{one.name}:{one.version}" for one in models(recipe.scores, cache_folder())]
    upstream = fingerprint(ClipsStage.version, recipe.clips, names)
    vocabulary = cache(partial(_vocabulary, recipe))
    known: EmbeddedClips = NONE
    if settings.duplicates is not None:
        known = read_blocklists(settings.duplicates.against, workspace)
    before = committed(workspace, "selection")
    verdicts = {}
    for name, subset in recipe.subsets.items():
        found = select(name, subset, settings, clips, videos, scores, upstream)
        if settings.duplicates is not None:
            earlier = before.filter(pc.equal(before["subset"], name))
            found = without_duplicates(
                found, settings, clips, videos, scores, known=known, earlier=earlier
            )
        if subset.retrieval is not None and len(kept_ids(found)):
            found = retrieved(found, settings, subset.retrieval, scores, *vocabulary())
        if subset.review == "required":
            found = reviewed(found, settings, name, committed(workspace, "reviews"))
        verdicts[name] = found
    if settings.concepts is None:
        return Selected(verdicts, tables.CONCEPTS.empty_table())
    ids, embeddings = concept_inputs(list(verdicts.values()), scores)
    stamp = fingerprint(concepts.VERSION, settings.concepts, upstream)
    earlier = committed(workspace, "concepts")
    earlier = earlier.filter(pc.equal(earlier["fingerprint"], stamp))
    grouped = _grouped(settings.concepts, ids, embeddings, earlier, vocabulary)
    asked = kinds(clips, videos, scores)
    for name, subset in recipe.subsets.items():
        verdicts[name] = weighed(verdicts[name], ids, grouped, asked, subset.resampling)
    return Selected(verdicts, with_sizes(grouped.table, verdicts, stamp))


def _vocabulary(recipe: Recipe) -> Vocabulary:
    """What the recipe's concept model may call things, with embeddings."""
    chosen = models(recipe.scores, cache_folder() / "models")
    [model] = [one for one in chosen if isinstance(one, ConceptModel)]
    return model.vocabulary()


def committed(workspace: Workspace, name: str) -> pa.Table:
    """The rows of a table, none where it does not exist yet."""
    table = workspace.table(name)
    return table.read() if table.exists() else tables.TABLES[name].empty_table()


def _grouped(
    settings: ConceptSettings,
    ids: list[str],
    embeddings: npt.NDArray[np.float32],
    earlier: pa.Table,
    vocabulary: Callable[[], Vocabulary],
) -> Concepts:
    if still_hold(earlier, len(ids), settings):
        # Names are kept, so no model has to be loaded for them.
        return group(ids, embeddings, [], embeddings[:0], settings, earlier)
    labels, label_embeddings = vocabulary() if ids else ([], embeddings[:0])
    return group(ids, embeddings, labels, label_embeddings, settings)
