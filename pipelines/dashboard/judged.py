"""Which rules a clip fails, as bits: what makes a what-if over a million clips a matter of moments.

Bit `n` of `fails` is set where the clip fails the subset's n-th rule, bit `n` of `unmeasured` where
the rule's measure is missing. Two bits follow the rules: the kind (video or image) and the bucket.
"""

from curation.rules import Rule, rule_sql
from curation.selection import BUILT_IN, SubsetSettings

MOST_RULES = 60
"""Bits that an unsigned integer of 64 bits has, with some to spare."""

LATER = ("duplicate", "retrieval", "review")
"""What reasons begin with that are decided after the rules, which bits do not tell."""


def bits_of(settings: SubsetSettings) -> dict[str, int]:
    """The bit of each rule by name, and those of `kind` and `bucket`.

    Raises:
        ValueError: there are more rules than bits.
    """
    if len(settings.rules) > MOST_RULES:
        raise ValueError(f"the dashboard knows {MOST_RULES} rules of a subset at most")
    return {name: bit for bit, name in enumerate([*settings.rules, *BUILT_IN[:2]])}


def judged_sql(settings: SubsetSettings) -> str:
    """SQL for the columns `fails` and `unmeasured` of a row of measures.

    It calls `bucket_reason`; see `curation.selection.register_bucket_reason`.
    """
    bits = bits_of(settings)
    failing, unmeasured = ["0::UBIGINT"], ["0::UBIGINT"]
    for name, rule in settings.rules.items():
        missing, fails = conditions(name, rule)
        failing.append(f"if({fails}, {1 << bits[name]}::UBIGINT, 0::UBIGINT)")
        unmeasured.append(f"if({missing}, {1 << bits[name]}::UBIGINT, 0::UBIGINT)")
    if settings.takes != "both":
        wrong = "is_image" if settings.takes == "videos" else "NOT is_image"
        failing.append(f"if({wrong}, {1 << bits['kind']}::UBIGINT, 0::UBIGINT)")
    shape = "duration_s, num_frames, width, height, content_width, content_height"
    failing.append(
        f"if(bucket_reason({shape}) IS NULL, 0::UBIGINT, {1 << bits['bucket']}::UBIGINT)"
    )
    return f"({' | '.join(failing)}) AS fails, ({' | '.join(unmeasured)}) AS unmeasured"


def conditions(name: str, rule: Rule) -> tuple[str, str]:
    """SQL for "its measure is missing" and "it fails", neither of them null."""
    if not rule.is_on:
        return "false", "false"
    missing, fails = rule_sql(name, rule)
    # A comparison with a missing measure is null, which is no failure: it is missing.
    return (
        f"coalesce({missing}, false)",
        f"(coalesce({fails}, false) AND NOT coalesce({missing}, false))",
    )
