"""A workspace in an object store is shown as one on a disk is."""

import os
from pathlib import Path

import boto3
import pytest

from pipelines.dashboard.board import Board
from pipelines.dashboard.examples import PageQuery, clips
from pipelines.dashboard.filters import SubsetQuery
from pipelines.dashboard.media import PosterQuery, VideoQuery, clip_poster, clip_video
from pipelines.dashboard.what_if import what_if
from pipelines.workspace import Workspace
from tests.boards import ready
from tests.pipelines.test_workspace import bucket  # noqa: F401 - a fixture
from tests.workspaces import small_workspace


@pytest.fixture
def remote(bucket: str, tmp_path: Path) -> Board:  # noqa: F811
    local = Path(small_workspace().uri)
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    name, _, prefix = bucket.removeprefix("s3://").partition("/")
    for path in local.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), name, f"{prefix}/{path.relative_to(local)}")
    return ready(Workspace(bucket), tmp_path / "cache")


def test_counts_clips_pictures_and_videos_are_those_of_the_local_one(
    remote: Board, tmp_path: Path
) -> None:
    local = ready(small_workspace(), tmp_path / "local")
    assert remote.index.steps == local.index.steps
    asked = SubsetQuery(subset="256p", rule=("motion:5:",))
    assert what_if(remote, asked) == what_if(local, asked)
    page = clips(remote, PageQuery(subset="256p"))
    assert page == clips(local, PageQuery(subset="256p"))
    [kept, *_] = [one["clip_id"] for one in page["clips"] if one["verdict"] == "ok"]
    poster = PosterQuery(clip_id=kept)
    assert clip_poster(remote, poster).body == clip_poster(local, poster).body
    sample = VideoQuery(clip_id=kept, of="sample", subset="256p")
    videos = [clip_video(board, sample) for board in (remote, local)]
    assert len({Path(str(video.path)).read_bytes() for video in videos}) == 1  # type: ignore[attr-defined]
    remote.close()
    local.close()
