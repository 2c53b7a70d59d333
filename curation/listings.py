"""The files that a folder, a prefix or a glob holds, and why some of them cannot be taken."""

import glob
import re
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curation import storage

COMPANIONS = frozenset(
    [
        *(".csv", ".jsonl", ".ndjson", ".parquet", ".json", ".yaml", ".yml", ".toml", ".xml"),
        *(".txt", ".md", ".html", ".log", ".pdf", ".nfo", ".py", ".sh", ".ipynb", ".npy", ".npz"),
        *(".srt", ".vtt", ".ass", ".sub", ".thm", ".aup3", ".edl", ".fcpxml", ".prproj", ".drp"),
        *(".wav", ".mp3", ".flac", ".aac", ".opus", ".m4a"),
        *(".md5", ".sha256", ".part", ".tmp", ".crdownload", ".ini", ".db", ".lnk"),
    ]
)
"""Extensions that a folder passes over: companions of videos, and unfinished downloads."""

WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Found:
    """One input file: an entry that can be tried, or the class of a failure and its words.

    Attributes:
        uri: where it is.
        entry: what its storage tells of it; None where nobody has asked yet, and for a failure.
        reason: a key of `curation.tables.FAILURES`, or None.
        error: the same in words.
    """

    uri: str
    entry: storage.Entry | None = None
    reason: str | None = None
    error: str | None = None


def objects(uri: str, skipped: Counter[str]) -> Iterator[Found]:
    """The objects that match a glob, those below a prefix, or the one object of that name."""
    magic = WILDCARD.search(uri)
    folder = uri[: magic.start()].rpartition("/")[0] if magic else uri
    wanted = glob_pattern(uri) if magic else None
    count = 0
    for entry in storage.list_remote(folder):
        below = entry.uri.removeprefix(folder)
        if wanted.fullmatch(entry.uri) if wanted else not _is_passed_over(below, skipped):
            count += 1
            yield Found(entry.uri, entry)
    if count == 0 and not magic:
        try:
            count, entry = 1, storage.entry(uri)
        except FileNotFoundError:
            count = 0
        else:
            yield Found(uri, entry)
    if count == 0:
        raise ValueError(f"input {uri!r} holds nothing that may be a video")


def glob_pattern(pattern: str) -> re.Pattern[str]:
    """A glob as a regular expression: `*` and `?` stop at slashes, `**` does not."""
    translated = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[!?[^\]/]+\])", pattern)
    for index, part in enumerate(parts):
        if index % 2 == 0:
            parts[index] = re.escape(part)
        else:
            parts[index] = translated.get(part) or part.replace("[!", "[^", 1)
    return re.compile("".join(parts), re.DOTALL)


def matching(pattern: str, follow_links: bool) -> Iterator[Found]:
    """The local files that match a glob; links may lead anywhere below its first wildcard."""
    magic = WILDCARD.search(pattern)
    assert magic
    root = Path(pattern[: magic.start()].rpartition("/")[0] or ("/" if pattern[0] == "/" else "."))
    paths = [Path(path) for path in glob.iglob(pattern, recursive=True)]  # noqa: PTH207 - absolute
    files = sorted(path for path in paths if not path.is_dir())
    if not files:
        raise ValueError(f"input {pattern!r} matches no file")
    for path in files:
        yield local_file(path, None if follow_links else root)


def below(root: Path, follow_links: bool, skipped: Counter[str]) -> Iterator[Found]:
    """Every file below a folder, in the order of the names.

    Hidden files and companions are counted instead. A folder that cannot be listed is a row of its
    own. A link to a folder inside `root` is passed over: its files are found where they are.
    """
    folders, seen = [root], {root.resolve()}
    while folders:
        folder = folders.pop()
        try:
            children = sorted(folder.iterdir())
        except OSError as error:
            if folder == root:
                raise
            words = f"the folder cannot be listed: {error.strerror}"
            yield Found(storage.uri_of(folder), reason="unreadable", error=words)
            continue
        for child in children:
            is_folder = _is_folder(child)
            if is_folder and (follow_links or not child.is_symlink()):
                target = child.resolve()
                if not child.name.startswith(".") and target not in seen:
                    seen.add(target)
                    folders.append(child)
            elif is_folder and child.resolve().is_relative_to(root.resolve()):
                continue
            elif not _is_passed_over(child.name, skipped):
                yield local_file(child, None if follow_links else root)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _is_passed_over(name: str, skipped: Counter[str]) -> bool:
    """Whether a folder's file is none that a user means by naming the folder; counts it if so."""
    suffix = Path(name).suffix.lower()
    if any(part.startswith(".") for part in name.split("/")):
        skipped["hidden"] += 1
    elif suffix in COMPANIONS:
        skipped[suffix] += 1
    else:
        return name.endswith("/") or not name
    return True


def local_file(path: Path, root: Path | None) -> Found:
    """A local file; links must stay below `root`, where there is one."""
    uri = storage.uri_of(path)
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            target = path.resolve(strict=True)
            if root and not target.is_relative_to(root.resolve()):
                return Found(uri, reason="not_a_file", error="a link that leaves the input")
            found = target.stat()
    except (OSError, RuntimeError) as error:
        reason = "not_a_file" if path.is_symlink() else "unreadable"
        return Found(uri, reason=reason, error=f"cannot be found: {error}")
    if stat.S_ISREG(found.st_mode):
        return Found(uri, storage.local_entry(uri, found))
    kind = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    what = kind.get(stat.S_IFMT(found.st_mode), "a device")
    return Found(uri, reason="not_a_file", error=what)
