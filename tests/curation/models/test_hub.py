import json
from pathlib import Path

import pytest

from curation.models.hub import ModelFiles, model_file

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_folder_is_named_by_the_content_of_its_files(tmp_path: Path) -> None:
    for name in ("one", "same", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "more.txt").write_text(name)
        (tmp_path / name / "model.safetensors").write_bytes(b"12" if name == "other" else b"1")

    def files(name: str) -> ModelFiles:
        return ModelFiles(str(tmp_path / name), None, ("config.json", "model.safetensors"))

    assert files("one").folder() == tmp_path / "one"
    assert files("one").version == files("same").version != files("other").version
    (tmp_path / "one" / "config.json").unlink()
    assert files("one").version == "missing"
    with pytest.raises(ValueError, match=r"one/config.json is missing"):
        files("one").folder()


def test_a_path_is_meant_from_where_the_command_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "heads").mkdir()
    (tmp_path / "heads" / "l14.pth").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    head = model_file("heads/l14.pth", None)
    monkeypatch.chdir("/")
    assert head.folder() / head.names[0] == tmp_path / "heads" / "l14.pth"


def test_a_file_of_a_repository_is_named_after_it() -> None:
    head = model_file("someone/predictor/heads/l14.safetensors", COMMIT)
    assert (head.place, head.names) == ("someone/predictor", ("heads/l14.safetensors",))
    assert head.version == "someone/predictor@0123456789ab"
    with pytest.raises(ValueError, match="organisation/repository/file is expected"):
        model_file("someone/predictor", COMMIT)


@pytest.mark.parametrize("revision", ["main", "v1.0", COMMIT[:12], COMMIT.upper(), ""])
def test_what_is_no_commit_is_refused(revision: str) -> None:
    with pytest.raises(ValueError, match=r"is no commit \(40 hex digits\)"):
        ModelFiles("someone/clip", revision, ("config.json",)).folder()


@pytest.mark.parametrize("place", ["/models/clip", "clip", "a/b/c"])
def test_a_path_with_a_revision_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match="should be the id of a repository"):
        ModelFiles(place, COMMIT, ("config.json",)).folder()


def test_what_is_not_in_the_cache_is_named_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=rf"a.json of no/such at {COMMIT} .*moviola models RECIPE"):
        ModelFiles("no/such", COMMIT, ("a.json",)).folder()


def sharded(
    folder: Path, shards: object = ("a-1-of-2.safetensors", "a-2-of-2.safetensors")
) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    names = list(shards) if isinstance(shards, tuple) else []
    for name in names:
        (folder / name).write_bytes(name.encode())
    index = {"weight_map": dict(enumerate(names))} if names else shards
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def weights(folder: Path, **changes: tuple[str, ...]) -> ModelFiles:
    return ModelFiles(str(folder), None, ("config.json",), weights="model.safetensors", **changes)


def test_weights_in_shards_are_whole_or_refused(tmp_path: Path) -> None:
    one, other = sharded(tmp_path / "one"), sharded(tmp_path / "other")
    assert weights(one).folder() == one
    assert weights(one).version == weights(other).version
    (one / "a-2-of-2.safetensors").write_bytes(b"other weights")
    assert weights(one).version not in (weights(other).version, "missing")
    (one / "a-2-of-2.safetensors").unlink()
    assert weights(one).version == "missing"
    with pytest.raises(ValueError, match=r"one/a-2-of-2.safetensors is missing"):
        weights(one).folder()
    (other / "model.safetensors.index.json").unlink()
    with pytest.raises(ValueError, match=r"other/model.safetensors is missing"):
        weights(other).folder()


def test_weights_in_one_file_are_used_before_shards(tmp_path: Path) -> None:
    folder = sharded(tmp_path / "one")
    in_shards = weights(folder).version
    (folder / "model.safetensors").write_bytes(b"whole")
    (folder / "a-1-of-2.safetensors").unlink()
    assert weights(folder).folder() == folder
    assert weights(folder).version not in (in_shards, "missing")


@pytest.mark.parametrize(
    "index",
    [[], {}, {"weight_map": []}, {"weight_map": {}}, {"weight_map": {"a": "../a.safetensors"}},
     {"weight_map": {"a": "a.bin"}}, {"weight_map": {"a": 1}}, {"weight_map": {"a": {}}}],
)  # fmt: skip
def test_what_is_no_index_of_shards_beside_it_is_refused(tmp_path: Path, index: object) -> None:
    folder = sharded(tmp_path / "one", index)
    assert weights(folder).version == "missing"
    with pytest.raises(ValueError, match=r"index.json is no index of weights"):
        weights(folder).folder()


def test_optional_files_are_part_of_the_version_where_they_are_there(tmp_path: Path) -> None:
    folder = sharded(tmp_path / "one")
    files = weights(folder, optional=("first.json", "second.json"))
    without = files.version
    assert without == weights(folder).version
    (folder / "first.json").write_text("{}")
    first = files.version
    (folder / "first.json").rename(folder / "second.json")
    assert len({without, first, files.version}) == 3
    assert files.folder() == folder
