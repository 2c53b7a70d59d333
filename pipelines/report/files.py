"""`moviola report`: the page that people look at, and what others read beside the shards."""

from pathlib import Path

import obstore

from curation.storage import write_whole
from curation.views import SHARDS
from pipelines.croissant import FILE as CROISSANT
from pipelines.croissant import croissant, known_files
from pipelines.dataset_card import dataset_card
from pipelines.queries import parts_of
from pipelines.report.page import report_page
from pipelines.workspace import Workspace, storage_errors

PAGE = "report.html"
CARD = "README.md"


def write_report(workspace: Workspace, into: Path | None = None) -> list[str]:
    """Writes the page, and where there are shards their card and their Croissant metadata.

    Args:
        workspace: of which.
        into: a local file or folder for the page; left out, it goes into the workspace.

    Returns:
        Lines that say what was written where, and what was not.

    Raises:
        ValueError: this is no workspace, or `into` cannot be written.
        StorageError: the storage cannot be read or written.
    """
    page = report_page(workspace).encode()
    lines = [f"wrote {_page_into(into, page) if into else _put(workspace, '', PAGE, page)}"]
    if not parts_of(workspace, SHARDS):
        return [*lines, "no dataset card and no Croissant metadata: there are no shards yet"]
    card = dataset_card(workspace).encode()
    lines.append(f"wrote {_put(workspace, SHARDS, CARD, card)}")
    metadata = croissant(workspace, _known(workspace)).encode()
    return [*lines, f"wrote {_put(workspace, SHARDS, CROISSANT, metadata)}"]


def _page_into(into: Path, content: bytes) -> Path:
    path = into / PAGE if into.is_dir() else into
    try:
        write_whole(path, content)
    except OSError as error:
        raise ValueError(f"the report cannot be written to {path}: {error.strerror}") from error
    return path


def _put(workspace: Workspace, folder: str, name: str, content: bytes) -> str:
    uri = f"{workspace.uri}/{folder}{name}"
    with storage_errors(uri, need_bytes=len(content)):
        obstore.put(workspace.store(folder.rstrip("/")), name, content)
    return uri


def _known(workspace: Workspace) -> dict[str, tuple[int, str]]:
    """What the last report found of files that are still there."""
    with storage_errors(f"{workspace.uri}/{SHARDS}{CROISSANT}"):
        try:
            found = obstore.get(workspace.reading_store(SHARDS.rstrip("/")), CROISSANT).bytes()
        except FileNotFoundError:
            return {}
    return known_files(bytes(found).decode(errors="replace"))
