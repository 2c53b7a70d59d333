"""Captions beside their clips, for people to read: a strip of frames for each, and a page of all.

What captions and file names hold is text here, whatever it looks like: the page has no script, and
its policy lets none run.
"""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from curation import tables
from curation.media.rendering import Picture
from curation.stored_clips import picture
from pipelines.escaping import printable
from pipelines.queries import open_views
from pipelines.stored_frames import Frame, stored_frames
from pipelines.workspace import Workspace, storage_errors

TEMPLATE = Path(__file__).with_suffix(".html")
PAGE = "index.html"

STRIP_HEIGHT_PX, MOST_PICTURES = 144, 6


class Shown(NamedTuple):
    """A clip of the sheet."""

    clip_id: str

    thumbnail: Path | None
    """A strip of its frames, in time order; None where none is stored."""

    captions: list[dict[str, Any]]
    """Its rows of table `captions`, by captioner."""


def write_caption_sheet(
    workspace: Workspace,
    folder: Path,
    count: int,
    *,
    captioner: str | None = None,
    flagged: bool = False,
) -> list[Shown]:
    """Writes `index.html` and `<clip_id>.jpg` of some captioned clips, chosen by hash.

    Args:
        workspace: where the clips are.
        folder: made if it does not exist; files of the same names are replaced.
        count: clips at most.
        captioner: clips with a caption of this one; None takes any.
        flagged: clips with a flagged caption only.

    Returns:
        The clips, in the order of the page.

    Raises:
        ValueError: this is no workspace, nothing is captioned, or no captioner has this name.
        StorageError: the workspace cannot be read, or the folder not be written.
    """
    captions = _captions(workspace, count, captioner, flagged)
    # Those of one clip stand together.
    clips = {clip: list(rows) for clip, rows in groupby(captions, key=itemgetter("clip_id"))}
    frames = stored_frames(workspace, captions)
    shown = []
    with storage_errors(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        for clip_id, own in clips.items():
            path = _thumbnail(folder / f"{clip_id}.jpg", frames.get(clip_id, ()))
            shown.append(Shown(clip_id, path, own))
        title = f"Captions of {len(shown):,} clips of {printable(workspace.uri)}"
        cards = "\n".join(map(_card, shown)) or "<p>No clip has such a caption.</p>"
        text = TEMPLATE.read_text(encoding="utf-8")
        page = Template(text).substitute(title=escape(title), cards=cards)
        (folder / PAGE).write_text(page, encoding="utf-8")
    return shown


def _captions(
    workspace: Workspace, count: int, captioner: str | None, flagged: bool
) -> list[dict[str, Any]]:
    with open_views(workspace) as connection:
        names = connection.sql("SELECT DISTINCT captioner FROM captions ORDER BY 1").fetchall()
        known = [name for (name,) in names]
        if not known:
            raise ValueError(f"{workspace.uri} has no captions: no captioner was at work there")
        if captioner is not None and captioner not in known:
            raise ValueError(f"no captioner is called {captioner!r}; there are {', '.join(known)}")
        rows: list[dict[str, Any]] = (
            connection.sql(
                f"""SELECT t.*, c.start_s, v.uris[1] AS uri
                FROM captions AS t JOIN clips AS c ON c.clip_id = t.clip_id
                JOIN videos AS v ON v.video_id = c.video_id
                WHERE t.status = '{tables.OK}' AND t.clip_id IN (
                    SELECT clip_id FROM captions WHERE status = '{tables.OK}'
                        AND ($captioner IS NULL OR captioner = $captioner)
                        AND (NOT $flagged OR len(flags) > 0)
                    GROUP BY clip_id ORDER BY md5(clip_id) LIMIT $count)
                ORDER BY md5(t.clip_id), t.captioner""",  # noqa: S608 - a constant
                params={"captioner": captioner, "flagged": flagged, "count": count},
            )
            .to_arrow_table()
            .to_pylist()
        )
    return rows


def _thumbnail(path: Path, frames: Sequence[Frame]) -> Path | None:
    """The frames side by side as a JPEG; those that cannot be decoded are left out."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, MOST_PICTURES).round().astype(int))
    found = [picture(frames[index].jpeg) for index in chosen] if frames else []
    shown = [_low(one) for one in found if one is not None]
    if not shown:
        return None
    _, content = cv2.imencode(".jpg", cv2.cvtColor(np.hstack(shown), cv2.COLOR_RGB2BGR))
    path.write_bytes(content.tobytes())
    return path


def _low(frame: Picture) -> npt.NDArray[Any]:
    """The frame at the strip's height."""
    width = max(1, round(STRIP_HEIGHT_PX * frame.shape[1] / frame.shape[0]))
    return cv2.resize(frame, (width, STRIP_HEIGHT_PX), interpolation=cv2.INTER_AREA)


def _card(clip: Shown) -> str:
    first = next((row for row in clip.captions if row["camera"]), clip.captions[0])
    picture_of = (
        f'<img alt="frames of the clip" src="{_text(clip.thumbnail.name)}">'
        if clip.thumbnail
        else "<p>No frame is stored.</p>"
    )
    camera = f"{first['camera']} {first['camera_confidence']:.2f}" if first["camera"] else "none"
    return f"""<article>
<h2>{_text(clip.clip_id)}</h2>
<p class="by">{_text(first["uri"])} from {first["start_s"]:.2f} s · camera: {_text(camera)}</p>
{picture_of}
{"".join(map(_caption, clip.captions))}
</article>"""


def _caption(row: Mapping[str, Any]) -> str:
    by = f"{row['captioner']} · {row['model']} · {row['prompt_version']} · {row['origin']}"
    flags = f'<p class="flags">{_text(", ".join(row["flags"]))}</p>' if row["flags"] else ""
    facts = "".join(f"<li>{_text(fact)}</li>" for fact in row["facts"] or ())
    listed = f"<ul>{facts}</ul>" if facts else ""
    return f'<p>{_text(row["caption"])}</p><p class="by">{_text(by)}</p>{flags}{listed}'


def _text(value: object) -> str:
    return escape(printable(value))
