"""Facts on colour and light: what there is most of, where it lies, and how it changes."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from captioning.captioner import CaptionClip
from captioning.grounded.colours import TERMS, Look, shares, toned
from captioning.grounded.facts import MONOCHROME, Fact, listed

WHOLE = 0.8
"""Share from which one colour is the colour of everything."""

OTHER = 0.3
"""Share of the view whose colour is another at the end: start and end are then told apart."""

LEAST_SHARE = 0.1
"""Share from which a colour has a place of its own."""

ACCENT = (0.015, 0.1)
"""Share of a small patch of strong colour."""

NEUTRAL = ("black", "grey", "white", "brown", "beige")

ASIDE = 0.14
"""Distance of a colour's middle from that of the view, of its height or width: it lies there."""

GATHERED = 0.2
"""Spread of a colour around its own middle below which it is a patch and no scatter."""

PLACES = ("above", "on the left", "in the middle", "on the right", "below", "throughout")
"""Where a colour may lie, in the order of telling."""

LIGHT_CHANGE = 12
"""Difference in mean L* that is seen as darker or brighter."""


class Patch(NamedTuple):
    """Where one colour lies in a clip."""

    name: str
    place: str
    share: float


def colour_facts(clip: CaptionClip, looks: Sequence[Look]) -> Iterator[Fact]:
    """The colours of the whole clip, and where they lie.

    Args:
        clip: for its measures.
        looks: of its frames.
    """
    colourfulness = clip.measures.get("colourfulness")
    if colourfulness is not None and colourfulness < MONOCHROME:
        yield Fact("monochrome", (), f"colourfulness {colourfulness:.1f}")
    first, last = shares(looks[0].names), shares(looks[-1].names)
    if np.abs(last - first).sum() / 2 >= OTHER:
        yield from _arrangement("at_first", looks[:1])
        yield from _arrangement("at_last", looks[-1:])
    else:
        yield from _arrangement("", looks)
    yield from _accents(looks)


def _arrangement(when: str, looks: Sequence[Look]) -> Iterator[Fact]:
    """What there is most of in these frames, and where; kinds end in `when`."""
    found = np.array([shares(one.names) for one in looks])
    whole = found.mean(axis=0)
    order = [int(term) for term in np.argsort(-whole, kind="stable")]
    suffix = f"_{when}" if when else ""
    if whole[order[0]] >= WHOLE and found[:, order[0]].min() >= WHOLE - 0.1:
        name = toned(order[0], looks)
        yield Fact(f"whole{suffix}", (name,), f"{name} {whole[order[0]]:.2f}")
        return
    patches = [patch(term, looks) for term in order if whole[term] >= LEAST_SHARE]
    clauses, shown = [], []
    for place in PLACES:
        if here := [one for one in patches if one.place == place]:
            clauses.append(f"{listed([one.name for one in here])} {place}")
            shown += [f"{one.name} {one.share:.2f} {place}" for one in here]
    if len(clauses) == 1 and clauses[0].endswith(PLACES[-1]):
        clauses = [clauses[0].removesuffix(f" {PLACES[-1]}")]
        yield Fact(f"palette{suffix}", tuple(clauses), ", ".join(shown))
    elif clauses:
        yield Fact(f"layout{suffix}", (_joined(clauses),), ", ".join(shown))


def _accents(looks: Sequence[Look]) -> Iterator[Fact]:
    """Small patches of strong colour that every frame has."""
    found = np.array([shares(one.names) for one in looks])
    whole, least = found.mean(axis=0), found.min(axis=0)
    accents = [
        term
        for term in map(int, np.argsort(-whole, kind="stable"))
        if ACCENT[0] <= least[term] and whole[term] < ACCENT[1] and TERMS[term] not in NEUTRAL
    ][:2]
    if accents:
        shown = ", ".join(f"{TERMS[term]} {whole[term]:.2f}" for term in accents)
        yield Fact("accent", (listed([toned(term, looks) for term in accents]),), shown)


def patch(term: int, looks: Sequence[Look]) -> Patch:
    """Where a colour lies over all frames."""
    masks = np.stack([one.names == term for one in looks])
    share = float(masks.mean())
    rows, columns = np.mgrid[0:36, 0:64]
    down, across = (rows + 0.5) / 36 - 0.5, (columns + 0.5) / 64 - 0.5
    weight = masks.mean(axis=0) / max(share, 1e-9) / masks[0].size
    y, x = float((weight * down).sum()), float((weight * across).sum())
    spread_y = float(np.sqrt((weight * (down - y) ** 2).sum()))
    spread_x = float(np.sqrt((weight * (across - x) ** 2).sum()))
    if abs(y) >= ASIDE and abs(y) >= abs(x) and spread_y < 0.25:
        place = "above" if y < 0 else "below"
    elif abs(x) >= ASIDE and spread_x < 0.25:
        place = "on the left" if x < 0 else "on the right"
    elif max(abs(y), abs(x)) < 0.1 and max(spread_y, spread_x) < GATHERED:
        place = "in the middle"
    else:
        place = "throughout"
    return Patch(toned(term, looks), place, share)


def change_facts(looks: Sequence[Look]) -> Iterator[Fact]:
    """Light that grows or fades from the first frame to the last."""
    before, after = (float(one.lightness.mean()) for one in (looks[0], looks[-1]))
    if abs(after - before) >= LIGHT_CHANGE:
        word = "brighter" if after > before else "darker"
        yield Fact("light_changes", (word,), f"lightness {before:.0f} to {after:.0f}")


def brightest(looks: Sequence[Look]) -> Iterator[Fact]:
    """The side that is clearly brighter than the one across from it, in every frame."""
    lightness = np.stack([one.lightness for one in looks])
    sides: tuple[tuple[str, str, npt.NDArray[np.float32]], ...] = (
        ("upper", "lower", _difference(lightness[:, :12], lightness[:, 24:])),
        ("left", "right", _difference(lightness[:, :, :21], lightness[:, :, 43:])),
    )
    for one, other, differences in sides:
        steady = float(np.abs(differences).min())
        if steady >= LIGHT_CHANGE and (np.all(differences > 0) or np.all(differences < 0)):
            side, far = (one, other) if differences[0] > 0 else (other, one)
            yield Fact("brightest", (side, far), f"lightness apart by {steady:.0f} or more")
            return


def _difference(
    one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    return np.asarray(one.mean(axis=(1, 2)) - other.mean(axis=(1, 2)), np.float32)


def _joined(clauses: Sequence[str]) -> str:
    return clauses[0] if len(clauses) == 1 else f"{', '.join(clauses[:-1])}, and {clauses[-1]}"
