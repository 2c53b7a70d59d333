"""The selections of all subsets of a recipe, from what is committed; writes nothing."""

from collections.abc import Callable, Collection
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
    """`tables.SELECTION` by subset; of subsets that were to stay only those that had to change."""

    concepts: pa.Table
    """`tables.CONCEPTS`, empty where the recipe wants none."""


def select_all(
    recipe: Recipe,
    workspace: Workspace,
    clips: Rows,
    videos: Rows,
    scores: Rows,
    only: Collection[str] = (),
) -> Selected:
    """The verdicts on every clip for every subset, and the concepts that the kept clips make.

    Where only some subsets are decided, the verdicts on the others stay; but if the concepts are
    found anew, those have other ids and weights.

    Args:
        recipe: what to select.
        workspace: for block lists, reviews, and what was decided before.
        clips: table `clips`.
        videos: table `videos`.
        scores: table `scores`.
        only: the subsets to decide; all of the recipe where none is named.

    Raises:
        ValueError: a block list that cannot be read, quotas that cannot be met, or a subset that
            the recipe lacks.
        StorageError: a table cannot be read.
    """
    check_subsets(recipe, only)
    settings = recipe.selection
    names = [f"{one.name}:{one.version}" for one in models(recipe.scores, cache_folder())]
    upstream = fingerprint(ClipsStage.version, recipe.clips, names)
    vocabulary = cache(partial(_vocabulary, recipe))
    known: EmbeddedClips = NONE
    if settings.duplicates is not None:
        known = read_blocklists(settings.duplicates.against, workspace)
    before = committed(workspace, "selection")
    verdicts = {}
    staying = {}
    for name, subset in recipe.subsets.items():
        earlier = before.filter(pc.equal(before["subset"], name))
        if only and name not in only:
            staying[name] = earlier
            continue
        found = select(name, subset, settings, clips, videos, scores, upstream)
        if settings.duplicates is not None:
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
    ids, embeddings = concept_inputs([*verdicts.values(), *staying.values()], scores)
    stamp = fingerprint(concepts.VERSION, settings.concepts, upstream)
    earlier = committed(workspace, "concepts")
    earlier = earlier.filter(pc.equal(earlier["fingerprint"], stamp))
    grouped = _grouped(settings.concepts, ids, embeddings, earlier, vocabulary)
    asked = kinds(clips, videos, scores)
    for name, found in {**verdicts, **staying}.items():
        after = weighed(found, ids, grouped, asked, recipe.subsets[name].resampling)
        if name in verdicts or not after["concept_id"].equals(found["concept_id"]):
            verdicts[name] = after
    sized = {**staying, **verdicts}
    return Selected(verdicts, with_sizes(grouped.table, sized, stamp))


def check_subsets(recipe: Recipe, names: Collection[str]) -> None:
    """Whether the recipe has these subsets.

    Raises:
        ValueError: it lacks one.
    """
    for name in names:
        if name not in recipe.subsets:
            raise ValueError(f"the recipe has no subset {name!r}: {', '.join(recipe.subsets)}")


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
