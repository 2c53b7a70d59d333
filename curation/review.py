"""What people say of clips: the review file that they fill in, and what it means for a subset.

The third step of Movie Gen's fine-tuning set is done by eye. A review file is CSV with a row per
clip; a person writes `keep` or `drop` into its column `verdict`. Other columns state facts, and are
not read back.
"""

import csv
import difflib
from collections.abc import Iterator, Sequence, Set
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from curation.rules import SCORE_MEASURES
from curation.tables import REVIEWS

VERDICTS = ("keep", "drop")
MISSING, DROPPED = "review:missing", "review:dropped"
"""Reasons of a subset that takes reviewed clips only."""

FILLED = ("clip_id", "subset", "verdict", "note")
"""The columns that are read back; `note` may be left out."""

FACTS = (
    *("uri", "start_s", "end_s", "duration_s", "width", "height", "fps"),
    *("motion_vmaf", "motion_vector_px", "camera_shake", "shots_per_s"),
    *("sharpness", "contrast", "colourfulness", *SCORE_MEASURES),
    *("duplicate_of", "phrase", "concept_id"),
)
"""What is known of each clip, for the person who looks."""

SHOWN_PROBLEMS = 20
"""Problems of review files that a message lists; the rest is a number."""

KEY = ["subset", "clip_id"]


class Line(NamedTuple):
    """A line of a review file."""

    place: str
    """File and line number."""
    subset: str
    clip_id: str
    verdict: str
    """As it is written; empty where nobody has looked yet."""
    note: str


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a review file.

    Raises:
        ValueError: there is no such file, it is no CSV in UTF-8, or its columns are not those of a
            review file, or a line has more or fewer cells; the message names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_header(path, header)
            for cells in filter(any, reader):
                place = f"{path.name}, line {reader.line_num}"
                if len(cells) != len(header):
                    raise ValueError(f"{place}: {len(cells)} cells under {len(header)} columns")
                row = dict(zip(header, cells, strict=True))
                texts = (" ".join(row.get(name, "").split()) for name in FILLED)
                clip_id, subset, verdict, note = texts
                yield Line(place, subset, clip_id, verdict.lower(), unescaped(note))
    except OSError as error:
        raise ValueError(f"the review file {path} cannot be read: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is no CSV in UTF-8: {error}") from error


def _check_header(path: Path, header: Sequence[str]) -> None:
    known = (*FILLED, *FACTS)
    missing = [name for name in FILLED[:3] if name not in header]
    if missing:
        shown = ", ".join(map(repr, header[:10])) or "no columns"
        raise ValueError(
            f"{path.name}, line 1: no column {', '.join(missing)}, only {shown}; columns are "
            "separated by commas"
        )
    for name in header:
        if name not in known:
            [near] = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            raise ValueError(f"{path.name}, line 1: no column is called {name!r}; nearest: {near}")
        if header.count(name) > 1:
            raise ValueError(f"{path.name}, line 1: two columns are called {name}")


def checked(
    lines: Sequence[Line], known: Set[tuple[str, str]], reviewer: str | None, now: datetime
) -> pa.Table:
    """The verdicts of the lines that have one: `REVIEWS`.

    Args:
        lines: of one or several review files.
        known: subset and id of every clip that a line may name.
        reviewer: who looked.
        now: when, with its time zone.

    Raises:
        ValueError: one line per problem: a clip that the subset was never asked about, a verdict
            that is none, a clip with two verdicts.
    """
    seen: dict[tuple[str, str], str] = {}
    problems = []
    for line in lines:
        clip = (line.subset, line.clip_id)
        if clip in seen and line.verdict:
            problems.append(f"{line.place}: judges {line.clip_id} again after {seen[clip]}")
        elif clip not in known:
            problems.append(f"{line.place}: subset {line.subset!r} has no clip {line.clip_id!r}")
        elif line.verdict not in ("", *VERDICTS):
            problems.append(f"{line.place}: verdict {line.verdict!r} should be keep or drop")
        if line.verdict:
            seen.setdefault(clip, line.place)
    if problems:
        more = len(problems) - SHOWN_PROBLEMS
        last = [f"and {more:,} more problems"] if more > 0 else []
        raise ValueError("\n".join(["nothing is stored:", *problems[:SHOWN_PROBLEMS], *last]))
    judged = [line for line in lines if line.verdict]
    rows = [
        {**line._asdict(), "note": line.note or None, "reviewer": reviewer, "reviewed_at": now}
        for line in judged
    ]
    return pa.Table.from_pylist(rows, schema=REVIEWS)


def merged(earlier: pa.Table, later: pa.Table) -> pa.Table:
    """All reviews, sorted by subset and clip; a later one replaces an earlier one of its clip."""
    left = earlier.join(later.select(KEY), KEY, join_type="left anti")
    together = pa.concat_tables([left.select(REVIEWS.names).cast(REVIEWS), later])
    return together.sort_by([(name, "ascending") for name in KEY])


def review_reasons(subset: str, clip_ids: pa.Array, reviews: pa.Table) -> pa.Array:
    """Why the subset rejects each clip: `review:missing`, `review:dropped`, or null: it was kept.

    Args:
        subset: whose reviews count.
        clip_ids: the clips, an array or chunked array of text.
        reviews: rows of `REVIEWS`, of any subset.
    """
    own = reviews.filter(pc.equal(reviews["subset"], subset))
    verdicts = own["verdict"].combine_chunks()
    found = pc.take(verdicts, pc.index_in(clip_ids, value_set=own["clip_id"].combine_chunks()))
    rejected = pc.if_else(pc.equal(found, "drop"), DROPPED, pa.scalar(None, pa.string()))
    return pc.if_else(pc.is_null(found), MISSING, rejected)


def escaped(text: str) -> str:
    """Text that a spreadsheet takes for text, whatever it begins with."""
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text


def unescaped(text: str) -> str:
    """What `escaped` was given, or any other text as it is."""
    return text[1:] if text.startswith("'") and escaped(text[1:]) == text else text
