"""The orders that clips are looked at in, as SQL on `decided_<n>`."""

from collections.abc import Mapping
from typing import NamedTuple

from curation.rules import NUMBERS, Rule
from curation.selection import SubsetSettings
from curation.tables import MOTION_MEASURES
from pipelines.dashboard.filters import ClipFilter, changed_rules, checked_measure


class Order(NamedTuple):
    """An order of clips."""

    sql: str
    """What follows ORDER BY."""
    measure: str | None
    """What it goes by; None where it is chance, time, or the nearest of all thresholds."""


def order_of(asked: ClipFilter, settings: SubsetSettings, scales: Mapping[str, float]) -> Order:
    """The order that a filter asks for; clips whose measure is missing come last.

    `near` is by the measure of the filter; without one, by that of the rule that is the filter's
    reason; without that, by the rule that decides each clip: of a kept clip the one it passes by
    the least, of a rejected one that it fails by the most, in shares of the measure's spread.

    Args:
        asked: the filter.
        settings: of its subset.
        scales: how far the values of each measure spread, by name, for `near`.

    Raises:
        ValueError: what `changed_rules` and `checked_measure` raise.
    """
    if asked.order == "time":
        return Order("video_id, start_s, clip_id", None)
    if asked.order == "random":
        return Order("md5(clip_id)", None)
    rules = {**settings.rules, **changed_rules(settings, asked.rule)}
    measure = checked_measure(asked.measure) if asked.measure else _of_reason(asked.reason, rules)
    if asked.order in ("best", "worst"):
        if measure is None:
            return Order("md5(clip_id)", None)
        direction = "DESC" if asked.order == "best" else "ASC"
        return Order(f"{_known(measure)} {direction} NULLS LAST, clip_id", measure)
    own = {name: rule for name, rule in rules.items() if measure in (None, rule.measure or name)}
    margins = [_margin(name, rule, scales) for name, rule in own.items() if _is_bound(name, rule)]
    if not margins:
        return Order("md5(clip_id)", measure)
    # `least` passes over what is missing, and needs two.
    least = f"least({', '.join(margins)}, NULL)"
    return Order(f"abs({least}) ASC NULLS LAST, clip_id", measure)


def _of_reason(reason: str | None, rules: Mapping[str, Rule]) -> str | None:
    name = (reason or "").partition(":")[0]
    if name not in rules or (rules[name].measure or name) not in NUMBERS:
        return None
    return checked_measure(rules[name].measure or name)


def _is_bound(name: str, rule: Rule) -> bool:
    return (rule.measure or name) in NUMBERS and (rule.min is not None or rule.max is not None)


def _margin(name: str, rule: Rule, scales: Mapping[str, float]) -> str:
    """How far inside a rule's bounds a clip is, below 0 if outside; null where it is not judged."""
    measure = rule.measure or name
    value = _known(measure)
    inside = [f"{value} - {rule.min!r}::DOUBLE"] if rule.min is not None else []
    inside += [f"{rule.max!r}::DOUBLE - {value}"] if rule.max is not None else []
    margin = f"(least({', '.join(inside)}, NULL) / {scales.get(measure) or 1.0!r}::DOUBLE)"
    return f"if(is_image, NULL, {margin})" if measure in MOTION_MEASURES else margin


def _known(measure: str) -> str:
    return f"if(isfinite({measure}::DOUBLE), {measure}::DOUBLE, NULL)"
