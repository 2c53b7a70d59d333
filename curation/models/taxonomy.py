"""Taxonomies: lists of things that a clip may show, which a model names without training."""

from pathlib import Path

HUMAN_ACTIONS = Path(__file__).parent / "taxonomies" / "human-actions.txt"
"""600 verbs and expressions of people, for the unpublished list of Movie Gen."""


def read_taxonomy(path: Path = HUMAN_ACTIONS) -> tuple[str, ...]:
    """The phrases of a text file, one a line; empty lines and lines that start with # do not count.

    Raises:
        ValueError: the file cannot be read, holds no phrase, or one twice.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the taxonomy {path} cannot be read: {error}") from error
    phrases = [line for line in lines if line and not line.startswith("#")]
    if not phrases:
        raise ValueError(f"the taxonomy {path} holds no phrase")
    if len(set(phrases)) < len(phrases):
        twice = next(phrase for phrase in phrases if phrases.count(phrase) > 1)
        raise ValueError(f"the taxonomy {path} holds {twice!r} twice")
    return tuple(phrases)
