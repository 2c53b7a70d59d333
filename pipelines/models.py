"""Models that come from a hub: what a recipe needs of them, and fetching it.

Nothing else in Moviola downloads a model, and this only on request, after it has said what.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from captioning.captioners import captioners
from curation.models.devices import required
from curation.models.hub import ModelFiles
from curation.scores import models
from pipelines.assets import cache_folder
from pipelines.recipe import Recipe
from pipelines.rewriting import rewriter_files
from training.autoencoder.sources import autoencoder_sources
from training.settings import TrainingRecipe
from training.text.encoders import text_sources

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class HubFile:
    """A file as the hub states it."""

    name: str

    size_bytes: int

    sha256: str | None
    """Of a large file; the hub states none for a small one."""

    git_blob: str
    """The object id that Git gives a small file."""


@dataclass(frozen=True)
class Listing:
    """What a hub holds of a model."""

    source: ModelFiles

    commit: str
    """What the source's revision means today."""

    licence: str
    """As the repository's card states it."""

    files: tuple[HubFile, ...]

    def __str__(self) -> str:
        """One line: what, how large, under which licence."""
        size_mb = sum(file.size_bytes for file in self.files) / 1e6
        return (
            f"{self.source.place} at {self.commit}: {size_mb:,.1f} MB in {len(self.files)} files, "
            f"licence: {self.licence}"
        )


def hub_models(recipe: Recipe) -> list[ModelFiles]:
    """What the recipe's models need of hubs, each once.

    Raises:
        ValueError: a model of the recipe cannot be constructed, or names no repository.
    """
    weights = cache_folder() / "models"
    needed = [model.sources() for model in models(recipe.scores, weights)]
    needed += [one.sources() for one in captioners(recipe.captioning, weights).values()]
    found = dict.fromkeys(source for sources in needed for source in sources)
    return [source for source in found if source.revision is not None]


def hub_models_of_training(recipe: TrainingRecipe) -> list[ModelFiles]:
    """What a training recipe's autoencoder, text encoders and rewriter need of hubs, each once.

    Raises:
        ValueError: one of them names no repository.
    """
    needed = [*autoencoder_sources(recipe.autoencoder), *text_sources(recipe.text)]
    if (rewriter := recipe.generation.rewriter) is not None and rewriter.path is not None:
        needed.append(rewriter_files(rewriter))
    return [source for source in dict.fromkeys(needed) if source.revision is not None]


def listing(source: ModelFiles) -> Listing:
    """What the hub says of the model; the revision may be a branch or a tag here.

    Raises:
        ValueError: the hub cannot be reached, has no such repository or revision, or lacks a file.
    """
    hub = required("huggingface_hub")
    with _hub_errors(source):
        info = hub.HfApi().model_info(source.place, revision=source.revision, files_metadata=True)
    weights = _weights(source, {file.rfilename for file in info.siblings})
    patterns = (*source.names, *source.extras, *source.optional, *weights)
    files = tuple(
        HubFile(file.rfilename, file.size, file.lfs.sha256 if file.lfs else None, file.blob_id)
        for file in info.siblings
        if any(fnmatch(file.rfilename, pattern) for pattern in patterns)
    )
    lacking = sorted({*source.names, *weights[:1]} - {file.name for file in files})
    if lacking:
        raise ValueError(f"{source.place} at {info.sha} has no {', '.join(lacking)}")
    card: dict[str, Any] = info.card_data.to_dict() if info.card_data else {}
    licence = card.get("license_name") or card.get("license") or "not stated"
    return Listing(source, info.sha, licence, files)


def fetch(found: Listing) -> Path:
    """Puts the files into the cache of `huggingface_hub`, checks them, and returns their folder.

    Raises:
        ValueError: the revision is no commit, the hub fails, or a file is not the one it stated;
            such a file is removed, and both hashes are in the message.
    """
    source = found.source
    source.check_pinned()
    hub = required("huggingface_hub")
    names = [file.name for file in found.files]
    with _hub_errors(source):
        folder = hub.snapshot_download(source.place, revision=source.revision, allow_patterns=names)
    for file in found.files:
        _check(file, Path(folder) / file.name)
    return source.folder()


def report(sources: Sequence[ModelFiles], name: str, *, fetching: bool) -> Iterator[str]:
    """Lines on every model of a hub: first what each is, then, if wanted, its fetching.

    Args:
        sources: of the recipe's models, those of a hub.
        name: what the recipe is called.
        fetching: whether to download what is missing.

    Raises:
        ValueError: as `listing` and `fetch`; or something is missing and not fetched.
    """
    if not sources:
        yield f"{name} names no model of a hub"
    missing = []
    for source in sources:
        try:
            yield f"{source.place} at {source.revision}: here, in {source.folder()}"
        except ValueError:
            missing.append(listing(source))
            yield f"{missing[-1]}, not here yet"
    for found in missing:
        found.source.check_pinned()
        if fetching:
            yield f"{found.source.place}: fetched into {fetch(found)}"
    if missing and not fetching:
        raise ValueError(f"{len(missing)} of {len(sources)} models are missing: add --fetch")


def _weights(source: ModelFiles, offered: set[str]) -> tuple[str, ...]:
    """What to fetch of weights that may be in shards, as patterns; the first must be there."""
    if source.weights is None:
        return ()
    index = f"{source.weights}.index.json"
    if source.weights in offered or index not in offered:
        return (source.weights,)
    stem, _, suffix = source.weights.rpartition(".")
    return (index, f"{stem}*-of-*.{suffix}")


@contextmanager
def _hub_errors(source: ModelFiles) -> Iterator[None]:
    """What goes wrong between here and a hub, as one sentence."""
    failure = required("httpx2").HTTPError
    try:
        yield
    except (OSError, failure) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{source.place} cannot be had from the hub: {said[0]}") from error


def _check(file: HubFile, path: Path) -> None:
    if file.sha256 is None:
        digest, stated = hashlib.sha1(usedforsecurity=False), file.git_blob
        digest.update(b"blob %d\0" % path.stat().st_size)
    else:
        digest, stated = hashlib.sha256(), file.sha256
    with path.open("rb") as content:
        while block := content.read(BLOCK_BYTES):
            digest.update(block)
    if digest.hexdigest() == stated:
        return
    for copy in (path.resolve(), path):
        copy.unlink(missing_ok=True)
    raise ValueError(
        f"{file.name} is not the file that the hub states: expected {stated}, got "
        f"{digest.hexdigest()}. It was removed"
    )
