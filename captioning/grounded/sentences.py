"""Facts as sentences: grammatical, and varied by the clip's id, never at random.

Every word of a template that carries meaning is true of every fact of its kind; what differs is
in the values.
"""

import hashlib
from collections.abc import Sequence

from captioning.grounded.facts import Fact, listed

TEMPLATES: dict[str, tuple[str, ...]] = {
    "subject": ("{0} is in view", "in view is {0}", "{0} can be seen"),
    "people": ("people are in view", "in view are people", "people can be seen"),
    "shot_size": ("the view is {0}", "it is seen in {0}"),
    "place": ("it is {0}", "all is {0}"),
    "time": ("it is {0}", "the time is {0}"),
    "text": ("the words {0} can be read", "written in view is {0}", "lettering reads {0}"),
    "monochrome": ("everything is in black and white", "there is no colour but black and white"),
    "whole": ("almost everything is {0}", "{0} covers nearly the whole view"),
    "layout": ("the view is {0}", "there is {0}"),
    "palette": ("most of the view is {0}", "what can be seen is mostly {0}"),
    "whole_at_first": ("at first almost everything is {0}",),
    "layout_at_first": ("at first the view is {0}", "it begins with {0}"),
    "palette_at_first": ("at first most of the view is {0}", "it begins with {0}"),
    "whole_at_last": ("by the end almost everything is {0}",),
    "layout_at_last": ("by the end the view is {0}", "it ends with {0}"),
    "palette_at_last": ("by the end most of the view is {0}", "it ends with {0}"),
    "accent": ("there is a touch of {0}", "small touches of {0} stand out"),
    "brightest": (
        "the {0} part is brighter than the {1}",
        "it is brighter in the {0} part than in the {1}",
    ),
    "light_changes": ("it grows {0} towards the end", "by the end it is {0} than at the start"),
    "camera": ("the camera {0}", "the camera {0} throughout"),
    "camera_2": ("at first the camera {0}, then it {1}", "the camera {0}, and later it {1}"),
    "camera_3": ("at first the camera {0}, then it {1}, and in the end it {2}",),
    "view": ("the view moves {0}", "the view shifts {0}"),
    "nothing_moves": ("nothing moves", "everything stays still"),
    "movement": ("there is {0} movement", "{0} movement can be seen"),
    "movement_at": (
        "there is {0} movement, most of it {1}",
        "{0} movement can be seen, most of it {1}",
        "{1} there is {0} movement",
    ),
    "crosses": (
        "something moves from the {0} to the {1}",
        "from the {0} to the {1}, something moves across",
    ),
    "goes": ("something moves {0}", "what moves goes {0}"),
    "mover_size": (
        "what moves takes up a {0} part of the view",
        "a {0} part of the view is what moves",
    ),
    "begins": ("the movement starts only after a while",),
    "comes_to_rest": ("the movement comes to rest before the end",),
    "liveliest": ("it is liveliest {0}", "most of it happens {0}"),
    "light": ("the light is {0}", "the light is {0} overall"),
    "contrast": ("the contrast is {0}", "contrast is {0}"),
    "colourfulness": ("the colours are {0}", "colours are {0}"),
    "detail": ("details are {0}", "fine detail is {0}"),
}
"""Clauses by kind of fact; `{0}` and so on are the fact's values."""

TOGETHER = ("light", "contrast", "colourfulness", "detail")
"""Kinds that share one sentence."""


def clause(fact: Fact, key: str) -> str:
    """One of the clauses for the fact, the same for the same key.

    Args:
        fact: what to say.
        key: such as the clip's id and the attempt.
    """
    choices = TEMPLATES[fact.kind]
    digest = hashlib.sha256(f"{key}:{fact.kind}".encode()).digest()
    return choices[digest[0] % len(choices)].format(*fact.values)


def sentences(found: Sequence[Fact], key: str) -> list[str]:
    """The facts in sentences, in their order; some share one."""
    said = []
    rest = [fact for fact in found if fact.kind not in TOGETHER]
    index = 0
    while index < len(rest):
        one = rest[index]
        after = rest[index + 1] if index + 1 < len(rest) else None
        if after and one.kind == "camera" and after.kind.startswith(("movement", "nothing")):
            said.append(f"{clause(one, key)}, while {clause(after, key)}")
            index += 1
        else:
            said.append(clause(one, key))
        index += 1
    looks = [clause(fact, key) for fact in found if fact.kind in TOGETHER]
    if looks:
        said.append(listed(looks))
    return [f"{one[0].upper()}{one[1:]}." for one in said]
