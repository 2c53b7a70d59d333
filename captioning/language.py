"""Whether a text is English, by its smallest words."""

import re

WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
"""A word, with what it is hyphened or apostrophed with."""

LAST_LATIN = "\u024f"
"""The last letter of Unicode's Latin blocks."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split(" "))


ENGLISH = _words(
    "the and of with is are to from by his her its their while through across behind it at on into "
    "as in for that they he she an up over this there then which has have"
)
OTHERS = _words(
    "el los las un una y del con por para que se su le les une et des du dans avec sur qui au aux "
    "der das ein eine einen und mit auf im dem von zu ist sich nicht het een van op naar met og "
    "och det som til p\xe5 il lo gli di della che per nel um uma dos das em pela pelo com na ao "
    "jest si\u0119 oraz de la en"
)
"""Words of Spanish, French, German, Dutch, Italian, Portuguese, Polish and the Nordic languages
that are no English words; a name may hold one of them."""


def is_english(text: str) -> bool:
    """Whether it is in Latin letters, and not mostly the small words of another language."""
    letters = [one for one in text if one.isalpha()]
    if sum(one > LAST_LATIN for one in letters) > 0.1 * len(letters):
        return False
    words = [word.lower() for word in WORD.findall(text)]
    others = sum(word in OTHERS for word in words)
    return others < 2 or others < sum(word in ENGLISH for word in words)
