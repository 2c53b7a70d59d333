"""Which clips of an earlier workspace, or of a list, count as known."""

import numpy as np
import pyarrow as pa
import pytest

from curation.blocklists import first_of_each, kept_clips, listed_clips
from curation.embedded_clips import NONE, EmbeddedClips
from curation.tables import SCORES, SELECTION


def scores(**embeddings: list | None) -> pa.Table:
    rows = [{"clip_id": name, "copy_embedding": found} for name, found in embeddings.items()]
    return pa.Table.from_pylist(rows, schema=SCORES)


def selection(*verdicts: tuple[str, str, str]) -> pa.Table:
    rows = [dict(zip(("subset", "clip_id", "status"), one, strict=True)) for one in verdicts]
    return pa.Table.from_pylist(rows, schema=SELECTION)


def test_what_any_subset_keeps_is_known() -> None:
    verdicts = selection(
        ("256p", "c", "ok"), ("768p", "c", "rejected"),
        ("256p", "b", "rejected"), ("768p", "b", "rejected"),
        ("256p", "a", "ok"), ("768p", "a", "ok"),
        ("256p", "unscored", "ok"), ("256p", "failed", "ok"),
    )  # fmt: skip
    found = kept_clips(verdicts, scores(c=[[1, 0]], b=[[0, 1]], a=[[0, 1], [1, 0]], failed=None))
    assert list(found.ids) == ["a", "c"]
    assert found.embeddings[found.clip_of == 0].tolist() == [[0, 1], [1, 0]]
    assert found.embeddings[found.clip_of == 1].tolist() == [[1, 0]]


def test_a_workspace_that_keeps_nothing_is_an_empty_list() -> None:
    assert kept_clips(selection(), scores(a=[[1, 0]])).ids == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (scores(a=None, b=[]), "none of its 2 clips has an embedding"),
        (scores(a=[[2, 0]]), "not of unit length, of: a$"),
        (scores(a=[[float("nan"), 0]]), "not finite, of: a$"),
        (pa.concat_tables([scores(a=[[1, 0]])] * 2), "not unique"),
    ],
)
def test_a_list_that_is_no_good_is_refused(rows: pa.Table, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        listed_clips(rows)


def test_a_clip_of_several_lists_counts_once() -> None:
    eye = np.eye(3, dtype=np.float32)
    one = EmbeddedClips(["a", "b"], ["v", None], eye[:2], np.arange(2), "sscd:1")
    two = EmbeddedClips(["b", "c"], ["w", "w"], eye[1:], np.arange(2))
    found = first_of_each([one, NONE, two])
    assert (found.ids, found.videos, found.model) == (["a", "b", "c"], ["v", None, "w"], "sscd:1")
    assert found.embeddings.tolist() == eye.tolist()
    assert found.clip_of.tolist() == [0, 1, 2]
    assert first_of_each([]) is NONE


def test_lists_of_several_models_or_lengths_are_refused() -> None:
    one = EmbeddedClips(["a"], [None], np.eye(2, dtype=np.float32)[:1], np.arange(1), "sscd:1")
    long = one._replace(ids=["b"], embeddings=np.eye(3, dtype=np.float32)[:1])
    with pytest.raises(ValueError, match="several models cannot be compared: sscd:1, sscd:2"):
        first_of_each([one, one._replace(ids=["b"], model="sscd:2")])
    with pytest.raises(ValueError, match=r"several lengths cannot be compared: \[2, 3\]"):
        first_of_each([one, long])
