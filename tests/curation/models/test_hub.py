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
