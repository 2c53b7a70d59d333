"""When to ask a server again, and after which pause."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import numpy as np

FIRST_PAUSE_S = 1.0

RETRIED = frozenset({408, 409, 425, 429, *range(500, 600)})
"""Answers that may be others a little later."""


def pauses(seed: int, max_backoff_s: float) -> Iterator[float]:
    """Seconds to wait before the second try, the third, and so on without end.

    Each is about twice the last, less up to half of it by chance, so that requests that failed
    together do not come again together.

    Args:
        seed: of the chance.
        max_backoff_s: the longest.
    """
    random = np.random.default_rng(seed)
    longest = min(FIRST_PAUSE_S, max_backoff_s)
    while True:
        yield longest * float(random.uniform(0.5, 1))
        longest = min(2 * longest, max_backoff_s)


def asked_for_s(retry_after: str | None) -> float:
    """Seconds that a header `Retry-After` asks for, as a number or a date; 0 if it is neither."""
    if retry_after is None:
        return 0.0
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        # More digits than any sensible pause has.
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    # A date without a zone is in UTC, as all dates of HTTP are.
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
