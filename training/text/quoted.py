"""What a prompt wants written in the picture: it stands in double quotes."""

import re

PAIRS = re.compile(r'"([^"]*)"|[“„]([^“”]*)[“”]')
"""Straight quotes, curly ones, and German ones, which end with what opens the others."""


def quoted(prompt: str) -> str:
    """What stands in double quotes, one quotation a line; empty where nothing does.

    A quote that is never closed quotes nothing.
    """
    found = (straight or curly for straight, curly in PAIRS.findall(prompt))
    return "\n".join(stripped for one in found if (stripped := one.strip()))
