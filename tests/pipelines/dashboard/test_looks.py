import numpy as np
import pyarrow as pa
import pytest

from curation import tables
from pipelines.dashboard.looks import LOOKS, NUM_PLANES, WORDS, codes, cosines, looks, signs

NAMES = ["clip_id", "video_id", "models", "concept_embedding"]
SCORES = pa.schema([tables.SCORES.field(name) for name in NAMES])


def row(clip_id, embedding, models=("made:1", "other:2")):
    return {"clip_id": clip_id, "video_id": "v", "models": models, "concept_embedding": embedding}


@pytest.mark.parametrize("dimensions", [3, 384, 512])
@pytest.mark.parametrize("cosine", [-1.0, -0.4, 0.0, 0.3, 0.7, 0.9, 0.98, 1.0])
def test_the_share_of_bits_that_differ_is_the_angle_over_pi(dimensions, cosine):
    random = np.random.default_rng(1)
    shares = []
    for _ in range(100):
        first, other = np.linalg.qr(random.standard_normal((dimensions, 2)))[0].T
        pair = np.stack([first, cosine * first + np.sqrt(1 - cosine**2) * other])
        one, two = signs(pair.astype(np.float32))
        shares.append(sum(int(word).bit_count() for word in one ^ two) / NUM_PLANES)
    share = np.arccos(cosine) / np.pi
    deviation = np.sqrt(share * (1 - share) / NUM_PLANES)
    assert np.mean(shares) == pytest.approx(share, abs=deviation + 1e-3)
    assert np.std(shares) < 1.3 * deviation + 1e-3


@pytest.mark.parametrize(("outlier", "error"), [(1, 0.003), (20, 0.01)])
def test_codes_tell_the_cosines(outlier, error):
    random = np.random.default_rng(3)
    embeddings = random.standard_normal((50, 384), dtype=np.float32)
    embeddings[:, 7] *= outlier
    told = codes(embeddings)
    found = cosines(told[0].tobytes(), [code.tobytes() for code in told])
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    np.testing.assert_allclose(found, unit @ unit[0], atol=error)


def test_an_embedding_of_nothing_is_alike_to_none():
    nothing, one = (code.tobytes() for code in codes(np.array([[0, 0], [1, 2]], np.float32)))
    assert cosines(nothing, [nothing, one]).tolist() == [0, 0]


def test_a_look_does_not_depend_on_the_rows_around_it_nor_on_length():
    random = np.random.default_rng(2)
    embeddings = random.standard_normal((5, 64), dtype=np.float32)
    one_by_one = np.concatenate([signs(3 * one[None]) for one in embeddings])
    np.testing.assert_array_equal(signs(embeddings), one_by_one)


def test_clips_without_an_embedding_have_no_look_and_lengths_may_differ():
    scores = pa.RecordBatch.from_pylist(
        [
            row("none", None),
            row("long", [1.0, 0.0, 0.0]),
            row("short", [0.0, 1.0]),
            row("empty", []),
            row("unnamed", [1.0, float("nan")], None),
        ],
        SCORES,
    )
    found = looks(scores)
    assert found.schema == LOOKS
    assert sorted(found["clip_id"].to_pylist()) == ["long", "short", "unnamed"]
    models = dict(zip(found["clip_id"].to_pylist(), found["models"].to_pylist(), strict=True))
    assert models == {"long": "made:1, other:2", "short": "made:1, other:2", "unnamed": None}
    [long] = [one for one in found.to_pylist() if one["clip_id"] == "long"]
    words = [long[f"look_{word}"] for word in range(WORDS)]
    assert words == signs(np.array([[1, 0, 0]], np.float32))[0].tolist()


def test_no_rows_have_no_looks():
    assert looks(pa.RecordBatch.from_pylist([], SCORES)).num_rows == 0
