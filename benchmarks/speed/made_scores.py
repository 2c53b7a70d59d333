"""Made scores, concepts and captions, drawn with NumPy; no embeddings of copies (null)."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.speed.made_columns import Bools, column, flags, lists, made_table, picked, structs
from curation import tables

CAPTIONER = "facts"
FAILED_SHARE, FLAGGED_SHARE = 0.002, 0.08
DIMENSIONS = 384
"""Of a concept embedding."""

_THINGS = [
    *("a dog", "two people", "a street market", "a waterfall", "a cyclist", "a tram"),
    *("a violinist", "a harbour", "a field of wheat", "a kitchen", "a football match", "clouds"),
    *("a lighthouse", "a horse", "a workshop", "a crowd", "a mountain ridge", "a train"),
    *("a garden", "a bridge", "a cat", "a classroom", "a fishing boat", "an orchestra", "snow"),
]
_MANNERS = [
    *("at dawn", "at night", "in rain", "in close-up", "from above", "in bright sun"),
    *("in autumn", "behind glass", "in slow motion", "in a crowd", "indoors", "at a distance"),
]
CONCEPTS = [f"{thing} {manner}" for thing in _THINGS for manner in _MANNERS]
"""What made clips show: 300 names; the first is the commonest."""

CONCEPT_SHARES = 1 / (np.arange(len(CONCEPTS)) + 6.0)
CONCEPT_SHARES /= CONCEPT_SHARES.sum()
WEIGHTS = CONCEPT_SHARES**-0.5 / np.sum(CONCEPT_SHARES**0.5)
"""`[K]` what a clip of each concept weighs: as resampling by the square root of its size."""

_WORDS = ["EXIT", "Café 24h", "BREAKING NEWS", "SALE", "Gleis 4", "FINISH", "東京", "HOTEL"]
_CAMERA = ["static shot", "handheld shot", "pan left", "pan right", "push in", "tracking shot"]
_LIGHT = ["The light is dim.", "The light is bright.", "Colours are vivid.", "Detail is crisp."]
_VIEW = ["The view shifts to the left.", "There is quick movement.", "It ends with dark blue."]
HOSTILE_CAPTION = (
    "A sign reads <script>alert('caption')</script> & \"<b>bold</b>\" beside a door; "
    "what shows captions must show them as text."
)
"""The caption of the first clip that has one."""

Random = np.random.Generator
Ints = npt.NDArray[np.int64]


def draw_concepts(random: Random, counts: Ints) -> Ints:
    """`[N]` the concept of each clip; most clips of a video show the same.

    Args:
        random: draws.
        counts: `[V]` clips of each video.
    """
    num = int(counts.sum())
    common = random.choice(len(CONCEPTS), len(counts), p=CONCEPT_SHARES)
    own = random.choice(len(CONCEPTS), num, p=CONCEPT_SHARES)
    return np.where(flags(random, num, 0.6), np.repeat(common, counts), own)


def draw_scores(
    random: Random, clip_ids: pa.Array, video_ids: pa.Array, concepts: Ints
) -> pa.Table:
    """The rows of `tables.SCORES` of these clips."""
    num = len(clip_ids)
    failed = flags(random, num, FAILED_SHARE)
    with_text = flags(random, num, 0.45) & ~failed
    text_score = np.where(with_text, random.beta(1.6, 1.6, num), 0)
    words = picked(_WORDS, random.integers(0, len(_WORDS), num))
    brisque = random.normal(28, 12, num)
    texts = tables.SCORES.field("text_lines").type.value_type
    lines = {"text": words.filter(pa.array(with_text)), "score": pa.array(text_score[with_text])}
    columns = {
        "clip_id": clip_ids,
        "video_id": video_ids,
        "models": lists(picked(["made:1"], np.zeros(num)), np.ones(num, int), failed),
        "concept_embedding": _embeddings(random, concepts, failed),
        "concept_labels": lists(_labels(random, concepts), np.full(num, 3)),
        "attributes": lists(_attributes(random, num), np.full(num, 3)),
        "people": column(random.beta(0.5, 0.5, num), failed),
        "aesthetic": column(random.normal(5.0, 0.9, num), failed),
        "nsfw": column(random.beta(0.4, 9, num), failed),
        "text_share": column(text_score * random.beta(1, 18, num), failed),
        "text_score": column(text_score, failed),
        "text": pc.if_else(pa.array(with_text), words, ""),
        "text_lines": lists(structs(texts, lines), with_text.astype(int), failed),
        "quality_brisque": column(brisque, failed | flags(random, num, 0.002)),
        "quality_index": column(np.clip(85 - brisque + random.normal(0, 6, num), 0, 100), failed),
        "status": picked([tables.OK, tables.FAILED], failed),
        "reason": picked([None, "model"], failed),
        "error": picked([None, "made: a model gave no number"], failed),
        "cpu_s": random.gamma(4.0, 0.15, num),
    }
    return made_table(tables.SCORES, columns)


def _embeddings(random: Random, concepts: Ints, failed: Bools) -> pa.Array:
    """Directions around those of the concepts, to half precision, as ConSE has them."""
    centres = np.random.default_rng(0).standard_normal((len(CONCEPTS), DIMENSIONS))
    found = centres[concepts].astype(np.float32)
    found += random.standard_normal(found.shape, dtype=np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    numbers = pa.array(found[~failed].astype(np.float16).astype(np.float32).ravel())
    return lists(numbers, DIMENSIONS * (~failed).astype(int), failed)


def _labels(random: Random, concepts: Ints) -> pa.Array:
    kind = tables.SCORES.field("concept_labels").type.value_type
    near = (concepts[:, None] + np.array([0, 1, len(_MANNERS)])) % len(CONCEPTS)
    score = random.uniform(0.25, 0.8, (len(concepts), 1)) * np.array([1, 0.3, 0.1])
    return structs(
        kind, {"label": picked(CONCEPTS, near.ravel()), "score": pa.array(score.ravel())}
    )


def _attributes(random: Random, num: int) -> pa.Array:
    kind = tables.SCORES.field("attributes").type.value_type
    values = ["close-up", "medium shot", "long shot", "indoors", "outdoors", "in a vehicle"]
    values += ["day", "night", "dusk or dawn"]
    which = np.array([0, 3, 6]) + random.integers(0, 3, (num, 3))
    columns = {
        "kind": picked(["shot size", "place", "time of day"], np.tile(np.arange(3), num)),
        "value": picked(values, which.ravel()),
        "score": pa.array(random.uniform(0.4, 0.99, 3 * num)),
    }
    return structs(kind, columns)


def draw_captions(
    random: Random, clip_ids: pa.Array, video_ids: pa.Array, concepts: Ints, is_first: bool
) -> pa.Table:
    """The rows of `tables.CAPTIONS` of these clips; `is_first` gives one `HOSTILE_CAPTION`."""
    num = len(clip_ids)
    names = picked(CONCEPTS, concepts)
    view, light = (picked(words, random.integers(0, len(words), num)) for words in (_VIEW, _LIGHT))
    texts = pc.binary_join_element_wise("In view is", names, " ")
    texts = pc.binary_join_element_wise(texts, view, ". ")
    texts = pc.binary_join_element_wise(texts, light, " ")
    if is_first and num:
        texts = pa.concat_arrays([pa.array([HOSTILE_CAPTION]), texts.slice(1)])
    flagged = flags(random, num, FLAGGED_SHARE)
    flag = random.integers(0, len(tables.CAPTION_FLAGS), int(flagged.sum()))
    share = pa.array([f"labels {one / 100:.2f}" for one in range(30, 90)])
    labels = pc.binary_join_element_wise(names, share.take(random.integers(0, 60, num)), ": ")
    facts = pa.StructArray.from_arrays([labels, light], ["label", "light"])
    columns = {
        "clip_id": clip_ids,
        "video_id": video_ids,
        "captioner": pa.repeat(CAPTIONER, num),
        "model": pa.repeat("grounded:made", num),
        "prompt_version": pa.repeat("join-made", num),
        "caption": texts,
        "origin": picked(["built", "rewritten"], flags(random, num, 0.6)),
        "camera": picked(_CAMERA, random.integers(0, len(_CAMERA), num)),
        "camera_confidence": random.beta(3, 2, num),
        "flags": lists(picked(list(tables.CAPTION_FLAGS), flag), flagged.astype(int)),
        "attempts": np.where(flagged, 3, 1),
        "num_tokens": random.integers(15, 60, num),
        "facts": lists(_interleaved(facts), np.full(num, 2)),
        "status": pa.repeat(tables.OK, num),
        "cpu_s": random.gamma(3.0, 0.2, num),
    }
    return made_table(tables.CAPTIONS, columns)


def _interleaved(pairs: pa.StructArray) -> pa.Array:
    num = len(pairs)
    both = pa.concat_arrays([pairs.field(0), pairs.field(1)])
    return both.take(pa.array(np.arange(2 * num).reshape(2, num).T.ravel()))


def concept_table(
    random: Random, sizes: Ints, subsets: dict[str, Ints], num_found: int, fingerprint: str
) -> pa.Table:
    """The rows of `tables.CONCEPTS`, without centroids; concepts of one thing lie together.

    Args:
        random: draws.
        sizes: `[K]` clips of each concept that any subset keeps.
        subsets: likewise by subset.
        num_found: clips among which the concepts count as found.
        fingerprint: of the rows.
    """
    num = len(CONCEPTS)
    thing = np.arange(num) // len(_MANNERS)
    centre = random.uniform(-0.85, 0.85, (len(_THINGS), 2))
    place = np.clip(centre[thing] + random.normal(0, 0.08, (num, 2)), -1, 1)
    has = [
        [
            {"subset": name, "size": int(own[k]), "resampled_size": float(own[k] * WEIGHTS[k])}
            for name, own in subsets.items()
            if own[k]
        ]
        for k in range(num)
    ]
    columns = {
        "concept_id": np.arange(num),
        "name": CONCEPTS,
        "size": sizes,
        "found_size": np.rint(CONCEPT_SHARES * num_found).astype(np.int64),
        "x": place[:, 0],
        "y": place[:, 1],
        "subsets": pa.array(has, tables.CONCEPTS.field("subsets").type),
        "fingerprint": pa.repeat(fingerprint, num),
    }
    return made_table(tables.CONCEPTS, columns)
