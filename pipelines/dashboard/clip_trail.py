"""How a clip was decided in a subset, step by step, in the order of `curation.selection`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from curation.buckets import SHAPE, clip_bucket
from curation.selection import SelectionSettings, SubsetSettings, on_score
from pipelines.explain_clip import RuleVerdict, SubsetVerdict


class Step(NamedTuple):
    """One thing that a clip had to pass."""

    name: str
    """A rule, or one of `curation.selection.BUILT_IN`."""
    measure: str | None
    value: Any
    condition: str
    verdict: str
    """`passes`, `fails`, `unscored`, `off`, `does not apply`, or `not reached`."""
    decided: bool
    """Whether the clip was rejected here."""


def trail(
    verdict: SubsetVerdict,
    settings: SubsetSettings,
    shared: SelectionSettings,
    clip: Mapping[str, Any],
    review: Mapping[str, Any] | None,
) -> list[Step]:
    """All steps of one subset. Rules are judged whether they were reached or not.

    Args:
        verdict: what became of the clip.
        settings: what the subset was selected by.
        shared: what all subsets shared then.
        clip: its measures by name, at least `is_image` and those of `SHAPE`.
        review: what a person said of it for this subset.
    """
    late = {name for name, rule in settings.rules.items() if on_score(name, rule)}
    rules = [_rule(rule, verdict) for rule in verdict.rules]
    return [
        _kind(verdict, settings, is_image=bool(clip["is_image"])),
        *(step for step in rules if step.name not in late),
        _bucket(verdict, settings, clip),
        *(step for step in rules if step.name in late),
        *_later(verdict, settings, shared, review),
    ]


def _rejects(verdict: SubsetVerdict, name: str) -> bool:
    return (verdict.reason or "").partition(":")[0] == name


def _rule(rule: RuleVerdict, verdict: SubsetVerdict) -> Step:
    decided = _rejects(verdict, rule.rule)
    return Step(rule.rule, rule.measure, rule.value, rule.condition, rule.verdict, decided)


def _kind(verdict: SubsetVerdict, settings: SubsetSettings, *, is_image: bool) -> Step:
    takes, decided = settings.takes, _rejects(verdict, "kind")
    fits = takes == "both" or is_image == (takes == "images")
    condition = "videos or images" if takes == "both" else takes
    value = "image" if is_image else "video"
    return Step("kind", None, value, condition, "passes" if fits else "fails", decided)


def _bucket(verdict: SubsetVerdict, settings: SubsetSettings, clip: Mapping[str, Any]) -> Step:
    found = clip_bucket([clip[name] for name in SHAPE], settings.buckets)
    said = "fails" if isinstance(found, str) else "passes"
    value = f"none: {found}" if isinstance(found, str) else found.name
    return Step("bucket", None, value, "has one", said, _rejects(verdict, "bucket"))


def _later(
    verdict: SubsetVerdict,
    settings: SubsetSettings,
    shared: SelectionSettings,
    review: Mapping[str, Any] | None,
) -> list[Step]:
    """Duplicates, retrieval and reviews: later steps see only what earlier ones keep."""
    selected = verdict.selected
    on = {
        "duplicate": shared.duplicates is not None,
        "retrieval": settings.retrieval is not None,
        "review": settings.review == "required" or _rejects(verdict, "review"),
    }
    said = {
        "duplicate": (selected.get("duplicate_of"), "no better copy"),
        "retrieval": (selected.get("phrase"), "near a phrase"),
        "review": (review["verdict"] if review else None, "a person keeps it"),
    }
    reached = verdict.reason is None or any(_rejects(verdict, name) for name in on)
    steps = []
    for name, (value, condition) in said.items():
        decided = _rejects(verdict, name)
        unscored = decided and str(verdict.reason).endswith(":unscored")
        if decided:
            word = "unscored" if unscored else "fails"
        else:
            word = ("passes" if reached else "not reached") if on[name] else "off"
        steps.append(Step(name, None, value, condition, word, decided))
        reached = reached and not decided
    return steps
