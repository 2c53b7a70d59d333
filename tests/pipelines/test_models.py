"""Models of a hub: named by a recipe, said, fetched, checked, and used without a network.

The hub is a real server of this test's own, and `moviola` a process of its own, as for a user.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.models.hub import COMMIT
from pipelines.curate import Curation, check_models
from pipelines.models import hub_models
from pipelines.recipe import load_recipe
from pipelines.workspace import Workspace
from tests import media
from tests.hub_server import Hub, hub
from tests.networks import tiny_classifier, tiny_clip

RECIPE = """
scores:
  concept: {{open_clip: tests/tiny-clip, revision: {clip}}}
  safety: {{transformers: tests/tiny-vit, revision: {vit}, unsafe: [bad]}}
subsets:
  any: {{rules: {{nsfw: {{max: 1}}}}, buckets: {{base_px: 64, max_repeated_share: 1.0}}}}
videos: {{min_side_px: {{min: 100}}}}
clips: {{windows: {{skip_head_s: 0, min_shot_s: 0, mode: cover}}}}
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Hub]:
    tiny_clip(tmp_path / "clip")
    (tmp_path / "clip" / "README.md").write_text("of no use here")
    (tmp_path / "clip" / "open_clip_pytorch_model.bin").write_bytes(b"a pickle")
    tiny_classifier(tmp_path / "vit")
    with hub() as offered:
        offered.add("tests/tiny-clip", tmp_path / "clip", "cc-by-nc-4.0")
        offered.add("tests/tiny-vit", tmp_path / "vit")
        yield offered


@pytest.fixture
def recipe(served: Hub, tmp_path: Path) -> Path:
    commits = {"clip": served.commit("tests/tiny-clip"), "vit": served.commit("tests/tiny-vit")}
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(**commits))
    return path


def moviola(place: Path, url: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return python(place, url, "-m", "pipelines.cli", *arguments)


def python(place: Path, url: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HF_ENDPOINT": url, "HF_HOME": str(place / "cache")}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=environment, check=False
    )


NOWHERE = "http://127.0.0.1:9"


def test_size_and_licence_are_said_and_nothing_is_downloaded(
    served: Hub, recipe: Path, tmp_path: Path
) -> None:
    done = moviola(tmp_path, served.url, "models", recipe)
    first, second = done.stdout.splitlines()
    size_mb = (
        sum(
            (tmp_path / "clip" / name).stat().st_size
            for name in ("open_clip_config.json", "open_clip_model.safetensors")
        )
        / 1e6
    )
    commit = served.commit("tests/tiny-clip")
    assert first == (
        f"tests/tiny-clip at {commit}: {size_mb:,.1f} MB in 2 files, "
        "licence: cc-by-nc-4.0, not here yet"
    )
    assert "3 files, licence: mit" in second
    assert (done.returncode, done.stderr) == (
        2, "moviola: 2 of 2 models are missing: add --fetch\n"
    )  # fmt: skip
    assert served.downloads == []


def test_what_was_fetched_scores_clips_without_a_network(
    served: Hub, recipe: Path, tmp_path: Path
) -> None:
    done = moviola(tmp_path, served.url, "models", recipe, "--fetch")
    assert done.returncode == 0, done.stderr
    assert "tests/tiny-clip: fetched into " in done.stdout
    assert sorted(served.downloads) == [
        "tests/tiny-clip/open_clip_config.json",
        "tests/tiny-clip/open_clip_model.safetensors",
        *(f"tests/tiny-vit/{name}"
          for name in ("config.json", "model.safetensors", "preprocessor_config.json")),
    ]  # fmt: skip
    again = moviola(tmp_path, NOWHERE, "models", recipe, "--fetch")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count(": here, in ") == 2

    footage = media.ffmpeg("short.mp4", *media.source(size="256x144", seconds=6.0), *media.H264)
    workspace = tmp_path / "workspace"
    line = ["curate", recipe, "--input", footage, "--workspace", workspace]
    done = moviola(tmp_path, NOWHERE, *line, "--set", "engine.runner=inline")
    assert done.returncode == 0, done.stderr
    [row] = Workspace(str(workspace)).table("scores").read().to_pylist()
    commit = served.commit("tests/tiny-clip")[:12]
    assert row["models"][0].startswith(f"open-clip:tests/tiny-clip@{commit}-float32-")
    assert (len(row["concept_embedding"]), len(row["concept_labels"])) == (32, 5)
    assert 0 <= row["nsfw"] <= 1


def test_without_its_models_a_recipe_does_nothing_but_tell(
    served: Hub, recipe: Path, tmp_path: Path
) -> None:
    footage = media.ffmpeg("short.mp4", *media.source(size="256x144", seconds=6.0), *media.H264)
    line = ["curate", recipe, "--input", footage, "--workspace", tmp_path / "workspace"]
    done = moviola(tmp_path, served.url, *line)
    assert done.returncode == 2
    commit = served.commit("tests/tiny-clip")
    assert done.stderr == (
        f"moviola: open_clip_config.json of tests/tiny-clip at {commit} is not on this machine; "
        "`moviola models RECIPE` says its size and licence, and gets it with --fetch\n"
    )
    assert not list((tmp_path / "workspace").glob("*/*.parquet"))
    assert served.downloads == []
    planned = moviola(tmp_path, NOWHERE, *line, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "scores: 0 known" in planned.stdout
    assert moviola(tmp_path, NOWHERE, *line, "--print-config").returncode == 0


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_config.json"])
def test_a_file_that_is_not_what_the_hub_states_is_removed(
    served: Hub, recipe: Path, tmp_path: Path, name: str
) -> None:
    served.untrue.add(name)
    done = moviola(tmp_path, served.url, "models", recipe, "--fetch")
    assert done.returncode == 2
    assert f"moviola: {name} is not the file that the hub states: expected " in done.stderr
    assert len(done.stderr.splitlines()[-1].split(" got ")[1].split(".")[0]) in (40, 64)
    served.untrue.clear()
    assert moviola(tmp_path, served.url, "models", recipe, "--fetch").returncode == 0


def test_a_branch_is_resolved_and_refused(served: Hub, tmp_path: Path) -> None:
    path = tmp_path / "branch.yaml"
    path.write_text(RECIPE.format(clip="main", vit=served.commit("tests/tiny-vit")))
    done = moviola(tmp_path, served.url, "models", path, "--fetch")
    assert f"tests/tiny-clip at {served.commit('tests/tiny-clip')}: " in done.stdout
    assert done.returncode == 2
    assert "'main' of tests/tiny-clip is no commit" in done.stderr
    assert served.downloads == []


def test_a_hub_that_fails_is_one_line(served: Hub, recipe: Path, tmp_path: Path) -> None:
    done = moviola(tmp_path, NOWHERE, "models", recipe)
    assert done.returncode == 2
    assert done.stderr.startswith("moviola: tests/tiny-clip cannot be had from the hub: ")
    assert len(done.stderr.splitlines()) == 1
    del served.folders["tests/tiny-clip"]
    assert "cannot be had from the hub: " in moviola(tmp_path, served.url, "models", recipe).stderr


def test_weights_that_are_no_safetensors_are_refused(
    served: Hub, recipe: Path, tmp_path: Path
) -> None:
    (tmp_path / "clip" / "open_clip_model.safetensors").unlink()
    done = moviola(tmp_path, served.url, "models", recipe)
    assert done.returncode == 2
    assert "has no open_clip_model.safetensors" in done.stderr


SHARDED = """
from curation.models.hub import ModelFiles
from pipelines.models import fetch, listing

files = ModelFiles(
    "tests/sharded", "{commit}", ("config.json",),
    optional=("tokenizer.json", "chat_template.json"), weights="model.safetensors",
)
print(listing(files))
print(*sorted(path.name for path in fetch(listing(files)).iterdir()))
"""


def test_weights_in_shards_are_fetched_with_their_index(tmp_path: Path) -> None:
    folder = tmp_path / "sharded"
    folder.mkdir()
    shards = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for name in ("config.json", "tokenizer.json", "README.md", "pytorch_model.bin", *shards):
        (folder / name).write_text(name)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": shards[0], "b": shards[1]}}))

    def run(offered: Hub) -> subprocess.CompletedProcess[str]:
        code = SHARDED.format(commit=offered.commit("tests/sharded"))
        return python(tmp_path, offered.url, "-c", code)

    with hub() as offered:
        offered.add("tests/sharded", folder)
        done = run(offered)
        assert done.returncode == 0, done.stderr
        said, names = done.stdout.splitlines()
        assert "in 5 files" in said
        assert names.split() == sorted(["config.json", "tokenizer.json", index.name, *shards])
        index.unlink()
        assert "tests/sharded at " in run(offered).stderr
        assert "has no model.safetensors" in run(offered).stderr


def test_the_models_of_movie_gen_full_are_pinned() -> None:
    sources = hub_models(load_recipe("movie-gen-full").recipe)
    assert [source.place for source in sources] == [
        "timm/vit_huge_patch14_clip_224.metaclip_2pt5b",
        "ttj/sac-logos-ava1-l14-linearMSE",
        "timm/vit_large_patch14_clip_224.openai",
        "Falconsai/nsfw_image_detection",
        "meta-llama/Llama-3.2-11B-Vision-Instruct",
    ]
    assert all(COMMIT.fullmatch(source.revision or "") for source in sources)


def test_a_gpu_model_whose_workers_get_no_gpu_is_refused(tmp_path: Path) -> None:
    tiny_classifier(tmp_path)
    path = tmp_path / "recipe.yaml"
    path.write_text(f"""
scores: {{safety: {{transformers: {tmp_path}, unsafe: [bad], device: cuda}}}}
subsets: {{any: {{}}}}
""")
    with pytest.raises(ValueError, match=r"set engine.stages.scores.num_gpus, such as 0.5"):
        check_models(load_recipe(str(path)).recipe)
    check_models(load_recipe(str(path), ["engine.stages.scores.num_gpus=0.5"]).recipe)
    check_models(load_recipe(str(path), ["engine.runner=inline"]).recipe)


def test_a_detector_without_its_weights_is_told_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path))
    recipe = load_recipe("movie-gen-256p").recipe
    with pytest.raises(ValueError, match=r"transnetv2\.pth is missing; `make setup` fetches it"):
        check_models(recipe)
    with pytest.raises(ValueError, match="transnetv2"):
        Curation(recipe, Workspace(tmp_path / "w"), run=None).clips()
