import os

import obstore
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import LocalStore, S3Store

from curation import storage
from tests.buckets import bucket  # noqa: F401 - a fixture

NAMES = st.binary(min_size=1, max_size=40).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)


@given(NAMES)
def test_every_file_name_has_one_uri_that_is_text_and_leads_back(name):
    path = "/data/" + os.fsdecode(name)
    uri = storage.uri_of(path)
    uri.encode()
    assert str(storage.path_of(uri)) == path
    assert storage.uri_of(storage.path_of(uri)) == uri


@given(NAMES, NAMES)
def test_two_file_names_never_share_a_uri(one, other):
    uris = {storage.uri_of("/" + os.fsdecode(name)) for name in (one, other)}
    assert len(uris) == len({one, other})


def test_ordinary_names_are_left_as_they_are():
    for name in ("/a b/100%.mp4", "/a/\u00e9 'x'.mp4", "/a/-i", "/a/%zz", "/a/line\nbreak"):
        assert storage.uri_of(name) == name
    assert storage.uri_of(b"/a/\xff.mp4".decode("utf-8", "surrogateescape")) == "/a/%FF.mp4"
    assert storage.uri_of("/a/%03d.mp4") == "/a/%2503d.mp4"


def test_schemes_tell_stores_from_paths():
    assert storage.is_remote("s3://bucket/key")
    assert storage.is_remote("GS://bucket/key")
    assert not storage.is_remote("/s3/x")
    assert not storage.is_remote("file:///x")
    with pytest.raises(ValueError, match="none of s3"):
        storage.store_for("http://host/x")
    with pytest.raises(ValueError, match="names no bucket"):
        storage.store_for("s3:///x")


def test_join_makes_one_slash():
    assert storage.join("s3://b/p/", "a", "b.txt") == "s3://b/p/a/b.txt"
    assert storage.join("/data", "a") == "/data/a"
    assert storage.join("/", "a") == "/a"


def test_a_local_file_is_its_own_copy(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff %41.bin")
    path.write_bytes(b"content")
    with storage.local_copy(storage.uri_of(path), tmp_path) as copy:
        assert copy == path
    assert path.exists()
    assert storage.entry(storage.uri_of(path)).size_bytes == 7


@pytest.mark.parametrize(
    "key", ["a.mp4", "a b/c'd.mp4", "100%25.mp4", "%2F.mp4", "\u00e9/\U0001f3ac", "a+b&c=d#e?.mp4"]
)
def test_objects_of_any_name_are_listed_and_fetched(bucket, key, tmp_path):  # noqa: F811
    obstore.put(S3Store("films"), f"{key}", b"x" * 20_000_000)
    entries = {entry.uri: entry for entry in storage.list_remote(bucket)}
    uri = f"{bucket}/{key}"
    assert entries[uri].size_bytes == 20_000_000
    assert storage.entry(uri) == entries[uri]
    with storage.local_copy(uri, tmp_path) as copy:
        assert copy.read_bytes() == b"x" * 20_000_000
    assert list(tmp_path.iterdir()) == []


def test_an_overwritten_object_has_another_version(bucket):  # noqa: F811
    obstore.put(S3Store("films"), "v", b"1")
    before = storage.entry(f"{bucket}/v")
    obstore.put(S3Store("films"), "v", b"2")
    assert storage.entry(f"{bucket}/v").modified != before.modified


def test_a_prefix_is_a_folder(bucket):  # noqa: F811
    for key in ("set/a", "set/b/c", "set-old/d"):
        obstore.put(S3Store("films"), key, b"")
    for prefix in ("set", "set/"):
        uris = {entry.uri for entry in storage.list_remote(f"{bucket}/{prefix}")}
        assert uris == {f"{bucket}/set/a", f"{bucket}/set/b/c"}


def test_an_absent_object_is_a_missing_file(bucket, tmp_path):  # noqa: F811
    with pytest.raises(FileNotFoundError):
        storage.entry(f"{bucket}/absent")
    with pytest.raises(FileNotFoundError), storage.local_copy(f"{bucket}/absent", tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_sound_storage_passes_the_probe_and_is_left_empty(bucket, tmp_path):  # noqa: F811
    assert storage.probe_storage(str(tmp_path / "new")) == []
    assert list((tmp_path / "new").iterdir()) == []
    assert storage.probe_storage(f"{bucket}/workspace") == []
    assert list(storage.list_remote(f"{bucket}/workspace")) == []


def test_storage_that_cannot_be_written_is_named_with_its_reason(bucket, tmp_path):  # noqa: F811
    (tmp_path / "file").touch()
    assert "cannot be written" in storage.probe_storage(str(tmp_path / "file"))[0]
    assert "cannot be written" in storage.probe_storage("s3://no-such-bucket/x")[0]
    assert "none of s3" in storage.probe_storage("ftp://host/x")[0]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("put", "creates an object that exists already"),
        ("get", "reads old content"),
        ("list_with_delimiter", "does not list"),
        ("delete", "still shows"),
    ],
)
def test_each_broken_promise_is_found(fault, words, tmp_path, monkeypatch):
    real = getattr(obstore, fault)
    stale = LocalStore(tmp_path / "stale", mkdir=True)
    broken = {
        "put": lambda store, name, content, mode=None: real(store, name, content),
        "get": lambda store, name: obstore.put(stale, name, b"first") and real(stale, name),
        "list_with_delimiter": lambda store: {"objects": []},
        "delete": lambda store, name: None,
    }
    monkeypatch.setattr(obstore, fault, broken[fault])
    problems = storage.probe_storage(str(tmp_path / "workspace"))
    assert len(problems) == 1
    assert words in problems[0]
