"""Pages that show clips by their stored frames, for a person to judge; each is one whole file.

Nothing in a page comes from anywhere else, and its policy lets no script run but the page's own,
whatever a file name holds.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from curation.review import FACTS, VERDICTS
from pipelines.escaping import printable
from pipelines.stored_frames import Frame

TEMPLATE = Path(__file__).with_suffix(".html")
SHEET = "review.html"
"""The first page."""


def sheet_name(page: int) -> str:
    """The file of a page, counted from 0."""
    return f"review-{page + 1:03d}.html" if page else SHEET


def sheet_page(
    subset: str,
    clips: Sequence[Mapping[str, Any]],
    frames: Mapping[str, Sequence[Frame]],
    page: int,
    num_pages: int,
) -> str:
    """One page as HTML.

    Args:
        subset: that the clips are judged for.
        clips: those of this page: `clip_id`, `subset`, `verdict`, `note` and `FACTS` of each.
        frames: by `clip_id`; a clip without one is shown without pictures.
        page: its number, from 0.
        num_pages: of the whole sheet.
    """
    text = TEMPLATE.read_text(encoding="utf-8")
    script = text.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    links = [
        f'<a href="{sheet_name(other)}"{" aria-current=page" if other == page else ""}>'
        f"{other + 1}</a>"
        for other in range(num_pages)
    ]
    return Template(text).substitute(
        title=escape(f"Review of {subset}, page {page + 1} of {num_pages}"),
        script_sha256=digest,
        links=" ".join(links) if num_pages > 1 else "",
        file=f"review-{page + 1:03d}.csv",
        cards="\n".join(_card(clip, frames.get(clip["clip_id"], ())) for clip in clips)
        or "<p>No clip is to be judged.</p>",
    )


def _card(clip: Mapping[str, Any], frames: Sequence[Frame]) -> str:
    name = _text(clip["clip_id"])
    pictures = "".join(
        f'<img loading="lazy" alt="at {frame.time_s:.2f} s" title="{frame.time_s:.2f} s" '
        f'src="data:image/jpeg;base64,{base64.b64encode(frame.jpeg).decode()}">'
        for frame in frames
    )
    choices = "".join(
        f'<label><input type="radio" name="{name}" value="{verdict}"'
        f"{' checked' if clip['verdict'] == verdict else ''}> {verdict}</label>"
        for verdict in VERDICTS
    )
    facts = " · ".join(
        f"{fact} {_text(_shown(clip[fact]))}" for fact in FACTS[1:] if clip[fact] is not None
    )
    return f"""<article tabindex="0" data-clip="{name}" data-subset="{_text(clip["subset"])}">
<h2>{name}</h2><p>{_text(clip["uri"])}</p>
<div class="frames">{pictures or "no frame is stored"}</div>
<p class="facts">{facts}</p>
<p>{choices} <input type="text" placeholder="note" value="{_text(clip["note"] or "")}"></p>
</article>"""


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _text(value: object) -> str:
    return escape(printable(value))
