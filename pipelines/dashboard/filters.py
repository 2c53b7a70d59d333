"""What a browser may ask for: typed filters, checked here, that become SQL with bound values.

The browser never sends SQL: names are looked up among what there is, values are parameters.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from curation.rules import MEASURES, NUMBERS, Rule
from curation.selection import SubsetSettings, on_score
from pipelines.dashboard.judged import LATER, bits_of, conditions

MOST = 3e38
"""The largest bound: measures are float32, and DuckDB refuses to compare them with more."""


class Query(BaseModel):
    """The base of every query: unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SubsetQuery(Query):
    """A subset, under rules as they are or as they might be."""

    subset: str = Field(max_length=100)
    """Its name."""

    rule: tuple[str, ...] = Field(default=(), max_length=64)
    """Changed rules, `name:min:max` each, with nothing where there is no bound. The name is that of
    a rule of the subset, or of a measure that is to get one."""


class ClipFilter(SubsetQuery):
    """A set of clips of a subset, in an order."""

    verdict: Literal["kept", "rejected"] | None = None
    """As the subset was decided."""

    reason: str | None = Field(default=None, max_length=200)
    """Of the rejection, as the subset was decided."""

    outcome: Literal["kept", "gained", "lost", "unknown"] | None = None
    """Under the changed rules."""

    measure: str | None = Field(default=None, max_length=100)
    """What clips are bounded and ordered by."""

    low: float | None = Field(default=None, ge=-MOST, le=MOST)
    """Least value of the measure."""

    high: float | None = Field(default=None, ge=-MOST, le=MOST)
    """Greatest value of the measure."""

    concept: tuple[Annotated[int, Field(ge=0, lt=1 << 31)], ...] = Field(
        default=(), max_length=1000
    )
    """`concept_id`, any of these; all clips where there is none."""

    duplicate_of: str | None = Field(default=None, max_length=200)
    """The clip that was kept in their place."""

    video: str | None = Field(default=None, max_length=200)
    """`video_id`."""

    flag: str | None = Field(default=None, max_length=100)
    """What is wrong with a caption of theirs."""

    text: str | None = Field(default=None, max_length=200)
    """Part of a caption, of the path or URI of a source, or of a clip's id, in any case."""

    order: Literal["near", "random", "best", "worst", "time"] = "near"
    """`near`: nearest to a threshold; `best` and `worst` have most and least of the measure."""


class Condition(NamedTuple):
    """SQL of ours with values from outside."""

    sql: str
    params: dict[str, Any]


def checked_measure(measure: str) -> str:
    """The measure, which is then safe to be a column's name in SQL.

    Raises:
        ValueError: there is none of that name, or it is no number.
    """
    if measure not in NUMBERS:
        raise ValueError(f"no measure that is a number is called {measure[:100]!r}")
    return measure


def changed_rules(settings: SubsetSettings, changes: tuple[str, ...]) -> dict[str, Rule]:
    """The rules that the changes ask for, by name; those of the subset keep their measure.

    Raises:
        ValueError: a change has not the form `name:min:max`, names no rule and no measure, or has
            bounds that no value can meet.
    """
    found: dict[str, Rule] = {}
    for text in changes:
        name, *bounds = text.split(":")
        if len(bounds) != 2:
            raise ValueError(f"{text[:100]!r} is no change of a rule: write name:min:max")
        measure = settings.rules[name].measure or name if name in settings.rules else name
        least, most = (_number(bound) for bound in bounds)
        found[name] = Rule(measure=checked_measure(measure), min=least, max=most)
    return found


def with_changes(settings: SubsetSettings, changes: Mapping[str, Rule]) -> SubsetSettings:
    """The subset with its rules changed, and further rules at the end."""
    rules = {**settings.rules, **changes}
    plain = {
        name: rule.model_copy(update={"measure": None}) if rule.measure == name else rule
        for name, rule in rules.items()
    }
    return settings.model_copy(update={"rules": plain})


def reason_sql(settings: SubsetSettings, changes: Mapping[str, Rule]) -> str:
    """SQL for why a row of `decided_<n>` is rejected by the rules; null where they all let it pass.

    `unknown` where what decides was never measured. With no changes it is what `curation.selection`
    says, in its order: the kind, rules on measures, the bucket, rules on scores.
    """
    bits = bits_of(settings)
    rules = {**settings.rules, **changes}
    early = [_has("fails", bits["kind"], "kind")]
    late: list[str] = []
    for name, rule in rules.items():
        is_late = on_score(name, rule)
        missing, fails = (
            conditions(name, rule)
            if name in changes
            else (f"(unmeasured & {1 << bits[name]}) <> 0", f"(fails & {1 << bits[name]}) <> 0")
        )
        cases = late if is_late else early
        if is_late:
            cases.append(f"WHEN {missing} AND NOT is_scored THEN 'unknown'")
        cases += [f"WHEN {missing} THEN '{name}:unscored'", f"WHEN {fails} THEN '{name}'"]
    early.append(_has("fails", bits["bucket"], "bucket"))
    return f"CASE {' '.join([*early, *late])} END"


def _has(column: str, bit: int, reason: str) -> str:
    return f"WHEN ({column} & {1 << bit}) <> 0 THEN '{reason}'"


IS_LATER = "(" + " OR ".join(f"starts_with(verdict_reason, '{name}')" for name in LATER) + ")"
"""SQL: a clip that the rules let pass was rejected by what comes after them."""


def outcome_sql(reason: str) -> str:
    """SQL for what changed rules make of a clip, given SQL for the reason under them.

    `kept` and `lost` were kept; `gained` and `unknown` were not, and `rejected` stay so. What
    duplicates, retrieval and reviews have rejected stays rejected until it is decided again.
    """
    return f"""CASE WHEN verdict = 'ok' THEN if(({reason}) IS NULL, 'kept', 'lost')
        WHEN coalesce({IS_LATER}, false) THEN 'rejected'
        WHEN ({reason}) IS NULL THEN 'gained'
        WHEN ({reason}) = 'unknown' THEN 'unknown' ELSE 'rejected' END"""


_HAS_TEXT = """(contains(lower(clip_id), lower($text))
    OR video_id IN (SELECT video_id FROM videos
        WHERE contains(lower(array_to_string(uris, chr(10))), lower($text)))
    OR clip_id IN (SELECT clip_id FROM captions WHERE contains(lower(caption), lower($text))))"""


def condition_of(asked: ClipFilter, settings: SubsetSettings) -> Condition:
    """The filter as SQL on `decided_<n>`.

    Raises:
        ValueError: what `changed_rules` and `checked_measure` raise.
    """
    terms, params = ["true"], dict[str, Any]()
    plain = {
        "verdict_reason": asked.reason,
        "duplicate_of": asked.duplicate_of,
        "video_id": asked.video,
    }
    for column, value in plain.items():
        if value is not None:
            terms.append(f"{column} = ${column}")
            params[column] = value
    if asked.concept:
        terms.append("list_contains($concepts, concept_id)")
        params["concepts"] = list(asked.concept)
    if asked.verdict is not None:
        terms.append(f"verdict {'=' if asked.verdict == 'kept' else '<>'} 'ok'")
    if asked.outcome is not None:
        changes = changed_rules(settings, asked.rule)
        terms.append(f"({outcome_sql(reason_sql(settings, changes))}) = $outcome")
        params["outcome"] = asked.outcome
    if asked.flag is not None:
        terms.append("clip_id IN (SELECT clip_id FROM captions WHERE list_contains(flags, $flag))")
        params["flag"] = asked.flag
    if asked.text is not None:
        terms.append(_HAS_TEXT)
        params["text"] = asked.text
    if asked.measure is not None:
        measure = checked_measure(asked.measure)
        for sign, bound in ((">=", asked.low), ("<=", asked.high)):
            if bound is not None:
                # NaN is no value here, though DuckDB has it above all others.
                terms.append(f"isfinite({measure}::DOUBLE)")
                name = "low" if sign == ">=" else "high"
                kind = "FLOAT" if MEASURES[measure] == pa.float32() else "DOUBLE"
                terms.append(f"{measure} {sign} ${name}::{kind}")
                params[name] = bound
    return Condition(" AND ".join(terms), params)


def _number(text: str) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError as error:
        raise ValueError(f"{text[:40]!r} is no number") from error
    if not abs(number) <= MOST:
        raise ValueError(f"{text[:40]!r} is no number that a measure can have")
    return number
