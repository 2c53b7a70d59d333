"""The made workspace: as sound as a real one, and judged by the real rules."""

from pathlib import Path

import pytest

from benchmarks.speed.made_scores import HOSTILE_CAPTION
from benchmarks.speed.made_workspace import made_recipe, make_workspace
from curation.rules import rule_sql
from pipelines.queries import run_query, subset_settings
from pipelines.recipe import Recipe
from pipelines.verify import verify
from pipelines.workspace import Workspace


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("made") / "workspace"
    return make_workspace(folder, 1_000, num_pictured_videos=20)


def numbers(workspace: Workspace, sql: str) -> list[object]:
    [row] = run_query(workspace, sql).to_pylist()
    return list(row.values())


def test_is_sound_and_its_funnel_adds_up(made: Workspace) -> None:
    found = verify(made)
    assert found.findings == []
    assert [step.name for step in found.steps if not step.adds_up] == []
    steps = {step.name: step for step in found.steps}
    assert steps["clips"].num_out == 1_000
    assert steps["selection/256p"].num_in == 1_000
    assert 150 < steps["shards/256p"].num("ok") < 500
    assert 0 < steps["shards/768p"].num("ok") < steps["shards/256p"].num("ok")
    assert found.num_samples == sum(
        step.num("ok") for step in found.steps if step.name.startswith("shards/")
    )


def test_the_kept_recipe_names_the_rules_that_judged(made: Workspace) -> None:
    kept = subset_settings(made)
    assert kept == made_recipe().subsets
    assert Recipe.model_validate(made_recipe().model_dump(mode="json")) == made_recipe()
    conditions = [
        f"({part})" for name, rule in kept["256p"].rules.items() for part in rule_sql(name, rule)
    ]
    passing = f"NOT is_image AND NOT ({' OR '.join(conditions)})"
    judged = f"""SELECT count(*) FILTER (passes AND reason IS NOT NULL AND reason <> 'duplicate'
                AND reason NOT LIKE 'bucket:%'),
            count(*) FILTER (NOT passes AND status = 'ok')
        FROM (SELECT clip_id, {passing} AS passes FROM clips)
        JOIN selection USING (clip_id) WHERE subset = '256p'"""  # noqa: S608 - our own rules
    assert numbers(made, judged) == [0, 0]


def test_only_clips_that_models_look_at_have_scores(made: Workspace) -> None:
    unscored = """SELECT count(*) FILTER (status = 'ok'), count(*) FILTER (audit)
        FROM selection ANTI JOIN scores USING (clip_id)"""
    assert numbers(made, unscored) == [0, 0]
    assert numbers(made, "SELECT count(*) < 750, count(*) > 250 FROM scores") == [True, True]


def test_the_first_videos_have_pictures_and_text_that_must_not_run(made: Workspace) -> None:
    pictured = """SELECT count(DISTINCT clip_id) > 20, count(*) = 2 * count(DISTINCT clip_id),
        min(octet_length(jpeg)) > 1000, max(octet_length(jpeg)) < 20000 FROM clip_frames"""
    assert numbers(made, pictured) == [True] * 4
    assert HOSTILE_CAPTION in made.table("captions/facts").read()["caption"].to_pylist()
    assert numbers(made, "SELECT count(*) FROM sources WHERE uri LIKE '%<img%'") == [1]


def test_the_same_seed_makes_the_same_rows(tmp_path: Path) -> None:
    one, same = (
        make_workspace(tmp_path / name, 50, pictures=False, camera_hz=0) for name in ("a", "b")
    )
    for name in ("sources", "clips", "selection", "captions/facts"):
        # As text, because NaN does not equal itself.
        rows = [sorted(map(str, made.table(name).read().to_pylist())) for made in (one, same)]
        assert rows[0] == rows[1], name


def test_another_seed_makes_other_videos(made: Workspace, tmp_path: Path) -> None:
    other = make_workspace(tmp_path / "other", 50, seed=1, pictures=False, camera_hz=0)
    ids = [set(one.table("videos").read()["video_id"].to_pylist()) for one in (made, other)]
    assert ids[0].isdisjoint(ids[1])


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(ValueError, match="not empty"):
        make_workspace(tmp_path, 10)
