"""The lock file of assets: which files of which packages, with hashes, licence and credit."""

from pathlib import Path
from typing import Literal

from curation.settings import Settings
from pipelines.recipe_file import read_file
from pipelines.recipe_values import checked

LOCK = Path(__file__).with_name("assets.lock.yaml")


class Package(Settings):
    """A file of a package index."""

    requirement: str
    """`name==version`"""

    kind: Literal["sdist", "wheel"]
    """Which of the version's files."""

    size_bytes: int
    """Its size, so that the size of the download is known beforehand."""

    sha256: str
    """Its SHA-256, which pip checks before it looks inside."""


class Asset(Settings):
    """A file inside a package."""

    name: str
    """The name it gets."""

    package: str
    """The key of its package."""

    member: str
    """Its path inside the package; `a.zip!b/c.mp4` is c.mp4 inside a zip inside the package."""

    size_bytes: int
    """Its size."""

    sha256: str
    """Its SHA-256."""

    content: str
    """What it holds."""

    licence: str
    """What allows its use."""

    attribution: str
    """The credit that the licence asks for."""


class AssetLock(Settings):
    """Everything that may be fetched."""

    packages: dict[str, Package]
    """Where assets come from."""

    sets: dict[str, tuple[Asset, ...]]
    """Assets that are fetched together."""


def read_lock(path: Path = LOCK) -> AssetLock:
    """The lock file, checked."""
    return checked(read_file(path), AssetLock)
