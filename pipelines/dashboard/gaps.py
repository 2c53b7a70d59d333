"""Tables that were removed although others were made from them, so that numbers are missing."""

from collections.abc import Iterable, Mapping

from curation.rules import SCORE_MEASURES
from curation.selection import SubsetSettings
from curation.views import CAPTIONS, LATENTS, SHARDS
from pipelines.dashboard.index import Index

_MADE_FROM = {
    "sources": ("videos", "clips"),
    "videos": ("clips", "scores", "selection", CAPTIONS, SHARDS, LATENTS),
    "clips": ("scores", "selection", CAPTIONS, SHARDS, LATENTS),
    "scores": ("selection",),
    "selection": (SHARDS,),
}
"""By table, those (or how the names of those begin) that cannot be there without it."""

_SELECTED_BY_SCORES = """SELECT 1 FROM selection
WHERE cosine IS NOT NULL OR concept_id IS NOT NULL OR phrase IS NOT NULL LIMIT 1"""


def gap(index: Index, subsets: Mapping[str, SubsetSettings | None]) -> str:
    """Which table is gone that others were made from, in words; empty where none is.

    Args:
        index: made from what is there.
        subsets: what each subset was selected by.
    """
    for table, later in _MADE_FROM.items():
        made = sorted(name for name in index.committed if name.startswith(later))
        if table in index.committed or not made:
            continue
        if table == "scores" and not _used_scores(index, subsets.values()):
            continue
        return (
            f"table {table} is gone, although {', '.join(made)} "
            f"{'was' if len(made) == 1 else 'were'} made from it: numbers that need it are missing"
        )
    return ""


def _used_scores(index: Index, subsets: Iterable[SubsetSettings | None]) -> bool:
    rules = ((name, rule) for one in subsets if one for name, rule in one.rules.items())
    if any((rule.measure or name) in SCORE_MEASURES for name, rule in rules):
        return True
    with index.connection.cursor() as cursor:
        return bool(cursor.execute(_SELECTED_BY_SCORES).fetchall())
