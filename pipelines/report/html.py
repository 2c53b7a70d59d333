"""Pieces of the report's HTML; every text that they are given is shown as it is."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

from pipelines.escaping import printable


def text(value: object) -> str:
    """The value as HTML that shows it, in content and in quoted attributes alike."""
    return escape(printable(value))


def number(value: float) -> str:
    """A count, or a sum of weights, with thousands apart."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def counted(num: float, units: str) -> str:
    """A count with its units, such as `2 clips` or `1 clip`."""
    return f"{number(num)} {units_of(num, units)}"


def units_of(num: float, units: str) -> str:
    """The units that a count is in, such as `clips`, or `clip` of one."""
    return units.removesuffix("s") if num == 1 else units


def length(seconds: float) -> str:
    """A length of video in the unit that suits it."""
    if seconds >= 3600:
        return f"{seconds / 3600:,.2f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.1f} s"


def size(num_bytes: int) -> str:
    """Bytes in the decimal unit that suits them."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= factor:
            return f"{num_bytes / factor:,.1f} {unit}"
    return f"{num_bytes} B"


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], *, num_texts: int = 1, id: str = ""
) -> str:
    """A table; its first `num_texts` columns are texts, the others numbers."""
    lines = [list(row) for row in rows]

    def cells(tag: str, row: Sequence[object]) -> str:
        kinds = ["text" if place < num_texts else "num" for place in range(len(row))]
        return "".join(
            f'<{tag} class="{kind}">{text(cell)}</{tag}>'
            for kind, cell in zip(kinds, row, strict=True)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in lines)
    name = f' id="{text(id)}"' if id else ""
    return (
        f'<div class="scroll"><table{name}><thead><tr>{cells("th", head)}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def bar(parts: Sequence[tuple[str, float]], whole: float) -> str:
    """Parts of a whole beside each other; each is a CSS class and an amount."""
    drawn, left = [], 0.0
    for kind, amount in parts:
        width = 1000 * amount / whole if whole else 0.0
        if width:
            drawn.append(f'<rect class="{kind}" x="{left:.1f}" width="{width:.1f}" height="8"/>')
        left += width
    return (
        '<svg class="bar" viewBox="0 0 1000 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="rest" width="1000" height="8"/>{"".join(drawn)}</svg>'
    )


def picture(jpeg: bytes | None, alt: str) -> str:
    """A JPEG inside the page, or that there is none."""
    if jpeg is None:
        return '<span class="blank">no frame is stored</span>'
    data = base64.b64encode(jpeg).decode()
    return f'<img loading="lazy" alt="{text(alt)}" src="data:image/jpeg;base64,{data}">'


def section(id: str, title: str, *content: str, lead: str = "") -> str:
    """A part of the page with a heading; `lead` is a sentence below it."""
    sentence = f'<p class="lead">{text(lead)}</p>' if lead else ""
    return f'<section id="{text(id)}"><h2>{text(title)}</h2>{sentence}{"".join(content)}</section>'
