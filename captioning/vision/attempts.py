"""What another attempt at a clip changes: its first answer is the likeliest, another is drawn."""

import hashlib

RETRY_TEMPERATURE = 0.7
"""At least this much for a clip whose caption was flagged: the likeliest one would come again."""


def temperature(chosen: float, attempt: int) -> float:
    """What to draw the answer at; 0 takes the likeliest token each time.

    Args:
        chosen: of the settings, for the first attempt.
        attempt: 0 for the first.
    """
    return chosen if attempt == 0 else max(chosen, RETRY_TEMPERATURE)


def seed(clip_id: str, attempt: int) -> int:
    """What to draw it with, 0 to 2^31 - 1: the same for the same attempt at the same clip."""
    digest = hashlib.sha256(f"{clip_id}:{attempt}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
