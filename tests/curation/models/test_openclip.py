"""Concepts by open_clip, against open_clip's own forward pass, on a tiny CLIP."""

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from curation.models.clip_towers import WEIGHTS, ClipTowers
from curation.models.openclip import (
    ATTRIBUTES,
    WITH_PEOPLE,
    WITHOUT_PEOPLE,
    OpenClip,
    OpenClipSettings,
)
from tests.networks import CLIP, PIXELS, tiny_clip

RANDOM = np.random.default_rng(0)
CLIPS = [
    [RANDOM.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(3)],
    [],
    [np.full((40, 30, 3), 250, np.uint8)],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    tiny_clip(folder)
    (folder / "few.txt").write_text("running\nasleep\ncooking\n")
    return folder


def model(folder: Path, **settings) -> OpenClip:
    """Loaded; with a taxonomy of three words where there is one and no other is named."""
    few = str(folder / "few.txt") if (folder / "few.txt").exists() else None
    chosen = OpenClipSettings(**{"open_clip": str(folder), "taxonomy": few} | settings)
    made = OpenClip(chosen, ClipTowers(chosen))
    made.check()
    made.setup()
    return made


def reference(folder: Path) -> open_clip.CLIP:
    made = open_clip.CLIP(**CLIP).eval()
    made.load_state_dict(load_file(folder / WEIGHTS))
    return made


def pixels(frames: list[np.ndarray]) -> torch.Tensor:
    config = open_clip.transform.PreprocessCfg(size=32, **PIXELS)
    transform = open_clip.transform.image_transform_v2(config, is_train=False)
    return torch.stack([transform(Image.fromarray(frame)) for frame in frames])


@torch.inference_mode()
def test_a_clip_is_the_mean_of_its_frames_as_open_clip_embeds_them(folder: Path) -> None:
    rows = model(folder, batch_size=2)(CLIPS)
    for frames, row in zip(CLIPS, rows, strict=True):
        if not frames:
            assert row == dict.fromkeys(OpenClip.columns.names)
            continue
        each = reference(folder).encode_image(pixels(frames), normalize=True)
        expected = torch.nn.functional.normalize(each.mean(0), dim=0).numpy()
        np.testing.assert_allclose(row["concept_embedding"], expected, atol=1e-5)
    assert abs(rows[0]["concept_embedding"] @ rows[2]["concept_embedding"]) < 0.999


@torch.inference_mode()
def test_labels_are_those_of_open_clips_zero_shot_classifier(folder: Path, tmp_path: Path) -> None:
    names = ["running", "asleep", "a red kite", "cooking", "rain", "two dogs", "night"]
    (tmp_path / "names.txt").write_text("# things\n\n" + "\n".join(names))
    made = model(folder, taxonomy=str(tmp_path / "names.txt"), prompt="a film of {}, in colour")
    row = made(CLIPS)[0]
    known = reference(folder)
    weights = open_clip.build_zero_shot_classifier(
        known, open_clip.get_tokenizer("ViT-B-32"), names, ["a film of {}, in colour"]
    )
    logits = known.logit_scale.exp() * torch.tensor(row["concept_embedding"]) @ weights
    likely = logits.softmax(-1)
    best = likely.argsort(descending=True)[:5]
    assert [one["label"] for one in row["concept_labels"]] == [names[index] for index in best]
    scores = [one["score"] for one in row["concept_labels"]]
    assert scores == pytest.approx(likely[best].tolist(), abs=1e-5)
    vocabulary, vectors = made.vocabulary()
    assert vocabulary == names
    np.testing.assert_allclose(vectors, weights.T.numpy(), atol=1e-5)


@torch.inference_mode()
def test_people_is_the_probability_of_the_prompts_with_people(folder: Path) -> None:
    made = model(folder)
    texts = open_clip.get_tokenizer("ViT-B-32")([*WITH_PEOPLE, *WITHOUT_PEOPLE])
    logits, _ = reference(folder).get_logits(pixels(CLIPS[0]), texts)
    expected = logits.softmax(-1)[:, : len(WITH_PEOPLE)].sum(-1).max()
    assert made(CLIPS)[0]["people"] == pytest.approx(float(expected), abs=1e-5)


@torch.inference_mode()
def test_attributes_are_the_likeliest_of_each_kind(folder: Path) -> None:
    made = model(folder)
    row = made(CLIPS)[0]
    assert [one["kind"] for one in row["attributes"]] == list(ATTRIBUTES)
    known = reference(folder)
    for one in row["attributes"]:
        prompts = ATTRIBUTES[one["kind"]]
        texts = open_clip.get_tokenizer("ViT-B-32")(list(prompts.values()))
        vectors = known.encode_text(texts, normalize=True)
        mean = torch.tensor(row["concept_embedding"])
        likely = (known.logit_scale.exp() * mean @ vectors.T).softmax(-1)
        assert one["value"] == list(prompts)[int(likely.argmax())]
        assert one["score"] == pytest.approx(float(likely.max()), abs=1e-5)


def test_texts_are_embedded_without_setup_and_in_the_space_of_the_frames(folder: Path) -> None:
    chosen = OpenClipSettings(open_clip=str(folder))
    made = OpenClip(chosen, ClipTowers(chosen))
    found = made.embed_text(["a dog", "a cat"])
    assert found.shape == (2, 32)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    names, vectors = made.vocabulary()
    assert (len(names), vectors.shape) == (600, (600, 32))


@pytest.mark.parametrize(("dtype", "off"), [("bfloat16", 0.02), ("float16", 0.004)])
def test_half_precision_stays_close(folder: Path, dtype: str, off: float) -> None:
    whole, half = model(folder)(CLIPS), model(folder, dtype=dtype)(CLIPS)
    for one, other in zip(whole, half, strict=True):
        if one["concept_embedding"] is not None:
            assert 1 - one["concept_embedding"] @ other["concept_embedding"] < off
            assert other["concept_embedding"].dtype == np.float32
            assert one["people"] == pytest.approx(other["people"], abs=0.1)


def test_one_frame_in_a_batch_of_its_own_is_the_same(folder: Path) -> None:
    together = model(folder, batch_size=32)(CLIPS)
    [alone] = model(folder, batch_size=1)([CLIPS[2]])
    np.testing.assert_allclose(
        alone["concept_embedding"], together[2]["concept_embedding"], atol=1e-5
    )
    assert model(folder)([]) == []
    assert model(folder)([[]])[0]["people"] is None


def test_a_clip_of_which_the_model_makes_nan_is_named(tmp_path: Path) -> None:
    weights = tiny_clip(tmp_path).state_dict()
    weights["visual.proj"][0] = torch.nan
    save_file(weights, tmp_path / WEIGHTS)
    with pytest.raises(ValueError, match="open-clip returned NaN or infinity for clip 0"):
        model(tmp_path)([CLIPS[2]])


def test_the_version_follows_weights_words_and_precision(tmp_path: Path) -> None:
    tiny_clip(tmp_path / "a")
    tiny_clip(tmp_path / "b")
    tiny_clip(tmp_path / "c", seed=1)
    (tmp_path / "names.txt").write_text("one\ntwo\n")

    def version(name: str, **settings) -> str:
        chosen = OpenClipSettings(open_clip=str(tmp_path / name), **settings)
        return OpenClip(chosen, ClipTowers(chosen)).version

    assert version("a") == version("b") == version("a", batch_size=1, device="cuda")
    others = [
        version("c"),
        version("a", dtype="float16"),
        version("a", taxonomy=str(tmp_path / "names.txt")),
        version("a", prompt="a {}"),
        version("missing"),
    ]
    assert len({version("a"), *others}) == 6


def test_a_name_and_a_tag_mean_the_repository_that_open_clip_names() -> None:
    settings = OpenClipSettings(
        open_clip="ViT-H-14-quickgelu", weights="metaclip_fullcc", revision="0" * 40
    )
    source = ClipTowers(settings).source()
    assert source.place == "timm/vit_huge_patch14_clip_224.metaclip_2pt5b"
    assert "metaclip_fullcc@000000000000" in ClipTowers(settings).version
    for wrong, said in (
        ({"open_clip": "ViT-Z"}, "has no model 'ViT-Z'"),
        ({"weights": "nonsense"}, r"its tags are metaclip_fullcc, dfn5b"),
        ({"revision": None}, "need a `revision`"),
    ):
        with pytest.raises(ValueError, match=said):
            ClipTowers(settings.model_copy(update=wrong)).source()


def test_what_is_missing_or_wrong_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"model file .*open_clip_config.json is missing"):
        model(tmp_path)
    (tmp_path / "empty.txt").write_text("# nothing\n")
    with pytest.raises(ValueError, match="holds no phrase"):
        model(folder, taxonomy=str(tmp_path / "empty.txt"))
    with pytest.raises(ValueError, match=r"should have one \{\} for the phrase"):
        model(folder, prompt="a photo")
    tiny_clip(tmp_path / "roberta", model_cfg=CLIP | {"text_cfg": {"hf_model_name": "roberta"}})
    with pytest.raises(ValueError, match="another model, roberta, which open_clip would fetch"):
        model(tmp_path / "roberta")
    tiny_clip(tmp_path / "other", model_cfg=CLIP | {"embed_dim": 48})
    with pytest.raises(ValueError, match="open_clip cannot load"):
        model(tmp_path / "other")
    (tmp_path / "other" / "open_clip_config.json").write_text(json.dumps({"vision": {}}))
    with pytest.raises(ValueError, match="is no configuration of open_clip"):
        model(tmp_path / "other")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(ValueError, match="PyTorch finds no GPU here"):
        model(folder, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_gpu_gives_what_the_cpu_gives(folder: Path, dtype: str) -> None:
    here, there = model(folder)(CLIPS)[0], model(folder, device="cuda", dtype=dtype)(CLIPS)[0]
    assert here["concept_embedding"] @ there["concept_embedding"] > 0.98
