"""A folder of pictures becomes a subset of images, with the recipe that comes for it."""

import shutil

import cv2
import numpy as np
import pytest

from curation.inputs import read_inputs
from pipelines.curate import Curation
from pipelines.dataset_card import dataset_card
from pipelines.queries import run_query
from pipelines.recipe import load_recipe
from pipelines.run import Run
from pipelines.verify import verify
from pipelines.workspace import Workspace
from tests import media
from tests.curation.models.test_quality import photograph

CHEAP = [
    *("scores.copy_detection=null", "scores.concept=null", "scores.text=null"),
    "clips.shots.transnet=null",
    *("selection.duplicates=null", "selection.concepts=null", "subsets.256p.resampling=null"),
]
RULES = "subsets.images.rules"
TURNED_RIGHT = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


def pictures(folder):
    """Seven pictures and a video; what becomes of each is in the tests."""
    whole = cv2.resize(photograph(), (960, 720), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(folder / "plain.jpg"), whole)
    cv2.imwrite(str(folder / "plain.png"), whole[:, ::-1])
    cv2.imwrite(str(folder / "deep.png"), whole[:, :720].astype(np.uint16) * 257)
    cv2.imwrite(str(folder / "blank.png"), np.full((800, 800, 3), 255, np.uint8))
    cv2.imwrite(str(folder / "tiny.png"), whole[:90, :120])
    jpeg = (folder / "plain.jpg").read_bytes()
    segment = b"\xff\xe1" + (len(TURNED_RIGHT) + 2).to_bytes(2, "big") + TURNED_RIGHT
    (folder / "turned.jpg").write_bytes(jpeg[:2] + segment + jpeg[2:])
    (folder / "cut off.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    shutil.copy(media.plain(), folder / "video.mp4")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, model_weights):
    folder = tmp_path_factory.mktemp("images")
    (folder / "in").mkdir()
    pictures(folder / "in")
    # What the made pictures score is not what is tested here.
    settings = [*CHEAP, "engine.runner=inline", f"{RULES}.quality_index.min=0"]
    settings += [f"{RULES}.text_share.max=null", "subsets.256p.rules.text_score.max=null"]
    recipe = load_recipe("movie-gen-images", settings).recipe
    place = Workspace(folder / "work")
    with Run(place, recipe.engine, recipe=recipe.model_dump(mode="json"), recipe_hash="0") as run:
        Curation(recipe, place, run).all(read_inputs([str(folder / "in")]))
    return place


def by_name(workspace, sql):
    rows = run_query(workspace, sql).to_pylist()
    return {row.pop("uri").rpartition("/")[2]: tuple(row.values()) for row in rows}


def test_images_become_jpeg_samples_of_one_frame_upright(workspace):
    found = by_name(workspace, "SELECT uri, bucket, num_frames, width, height, fps FROM shards")
    assert found == {
        "plain.jpg": ("4:3-1", 1, 288, 224, None),
        "plain.png": ("4:3-1", 1, 288, 224, None),
        "deep.png": ("1:1-1", 1, 256, 256, None),
        "turned.jpg": ("3:4-1", 1, 224, 288, None),
    }
    for sample in run_query(workspace, "SELECT video, width, height FROM shards").to_pylist():
        picture = cv2.imdecode(np.frombuffer(sample["video"], np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (sample["height"], sample["width"], 3)


def test_what_is_no_picture_to_learn_from_says_why(workspace):
    sources = by_name(workspace, "SELECT uri, status, reason FROM sources WHERE status != 'ok'")
    assert sources == {"cut off.jpg": ("failed", "no_frames")}
    videos = by_name(workspace, "SELECT uris[1] AS uri, reason FROM videos WHERE status != 'ok'")
    assert videos == {"tiny.png": ("min_side_px",), "video.mp4": ("min_side_px",)}
    rejected = by_name(
        workspace,
        """SELECT v.uris[1] AS uri, s.reason FROM selection AS s JOIN videos AS v USING (video_id)
        WHERE s.subset = 'images' AND s.status = 'rejected'""",
    )
    assert rejected == {"blank.png": ("contrast",)}


def test_no_image_gets_among_the_clips_of_videos(workspace):
    reasons = run_query(workspace, "SELECT DISTINCT reason FROM selection WHERE subset = '256p'")
    assert reasons["reason"].to_pylist() == ["kind"]


def test_images_are_scored_and_the_workspace_is_sound(workspace):
    scores = run_query(workspace, "SELECT quality_index FROM scores")["quality_index"].to_pylist()
    assert len(scores) >= 4
    assert all(0 <= score <= 100 for score in scores)
    assert verify(workspace).is_sound


def test_the_card_is_one_of_images(workspace):
    card = dataset_card(workspace)
    assert "- text-to-image" in card
    assert "- text-to-video" not in card
    assert r"| quality\_index |" in card
