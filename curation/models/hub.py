"""Files of models that are too large for a package: a folder here, or a repository of a hub.

Nothing here goes online. A repository is named with a commit, and only what lies of that commit in
the cache of `huggingface_hub` is used; `moviola models RECIPE --fetch` puts it there.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from curation.models.devices import required

COMMIT = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
SHARD = re.compile(r"[\w.-]+\.safetensors", re.ASCII)


@dataclass(frozen=True)
class ModelFiles:
    """The files of one model."""

    place: str
    """A folder, or with a revision the id of a repository, such as `timm/vit_base`."""

    revision: str | None
    """The commit of the repository; None for a folder."""

    names: tuple[str, ...]
    """The files that must be there, the weights last."""

    extras: tuple[str, ...] = ()
    """Files, as patterns, that are fetched where the repository has them."""

    optional: tuple[str, ...] = ()
    """Files that count where they are there: fetched, and part of the version."""

    weights: str | None = None
    """Weights that may be in shards, such as `model.safetensors`: it must be there, or else
    `model.safetensors.index.json` and every shard that it names."""

    def __post_init__(self) -> None:
        if self.revision is None:
            # Workers may run in another folder than the driver.
            object.__setattr__(self, "place", str(Path(self.place).expanduser().absolute()))

    @property
    def version(self) -> str:
        """Names the content: the commit, or the SHA-256 of a folder's files; `missing` without.

        Reading a folder's weights takes a second for each gigabyte or so, once per process.
        """
        if self.revision is not None:
            return f"{self.place}@{self.revision[:12]}"
        try:
            digests = [self._digest(name) for name in (*self.names, *self._weight_files())]
            there = [name for name in self.optional if self._found(name)]
            digests += [f"{name}:{self._digest(name)}" for name in there]
        except (OSError, ValueError):
            return "missing"
        return hashlib.sha256("".join(digests).encode()).hexdigest()[:12]

    def folder(self) -> Path:
        """The folder that holds `names` and the weights.

        Raises:
            ValueError: one of them is not on this machine, the revision is no commit, or the index
                of the shards is none.
        """
        if self.revision is not None:
            self.check_pinned()
        names = (*self.names, *self._weight_files())
        found = [self._found(name) for name in names]
        for name, path in zip(names, found, strict=True):
            if path is None and self.revision is None:
                raise ValueError(
                    f"the model file {Path(self.place) / name} is missing; a model of a hub is "
                    "named with its `revision`"
                )
            if path is None:
                raise ValueError(
                    f"{name} of {self.place} at {self.revision} is not on this machine; "
                    "`moviola models RECIPE` says its size and licence, and gets it with --fetch"
                )
        assert found[0] is not None
        return found[0].parents[names[0].count("/")]

    def check_pinned(self) -> None:
        """Refuses what may be another model tomorrow.

        Raises:
            ValueError: the place is no id of a repository, or the revision no commit.
        """
        if not REPOSITORY.fullmatch(self.place):
            raise ValueError(
                f"{self.place!r} has a revision, so it should be the id of a repository, such as "
                "timm/vit_base_patch32_clip_224.metaclip_2pt5b"
            )
        if not COMMIT.fullmatch(self.revision or ""):
            raise ValueError(
                f"the revision {self.revision!r} of {self.place} is no commit (40 hex digits), and "
                "branches and tags move; `moviola models RECIPE` says which commit it is now"
            )

    def _weight_files(self) -> list[str]:
        """The file of the weights, or their index and shards, whether they are there or not."""
        if self.weights is None:
            return []
        index = self._found(f"{self.weights}.index.json")
        if index is None or self._found(self.weights) is not None:
            return [self.weights]
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{index} is no index of weights: {error!r}") from error
        # Whoever loads the shards joins these names with the folder, and would follow a path.
        if not shards or not all(
            isinstance(name, str) and SHARD.fullmatch(name) for name in shards
        ):
            raise ValueError(f"{index} is no index of weights: it names {sorted(map(str, shards))}")
        return [f"{self.weights}.index.json", *sorted(shards)]

    def _digest(self, name: str) -> str:
        path = Path(self.place) / name
        return _sha256(path, path.stat().st_mtime_ns)

    def _found(self, name: str) -> Path | None:
        """Where the file is on this machine."""
        if self.revision is None:
            path = Path(self.place) / name
            return path if path.is_file() else None
        cache = required("huggingface_hub")
        found = cache.try_to_load_from_cache(self.place, name, revision=self.revision)
        return Path(found) if isinstance(found, str) else None


def model_file(place: str, revision: str | None) -> ModelFiles:
    """One file: its path, or with a revision `organisation/repository/path/in/it`."""
    if revision is None:
        return ModelFiles(str(Path(place).parent), None, (Path(place).name,))
    organisation, _, rest = place.partition("/")
    repository, _, name = rest.partition("/")
    if not name:
        raise ValueError(f"{place!r} names no file: organisation/repository/file is expected")
    return ModelFiles(f"{organisation}/{repository}", revision, (name,))


@lru_cache
def _sha256(path: Path, changed_ns: int) -> str:
    """SHA-256 of a file; of one that changed in the meantime, anew."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
