"""What-ifs against brute force: every clip judged by itself, in Python, over the tables."""

import functools
import itertools
import json
import math
from collections import Counter

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.speed.made_workspace import made_recipe
from curation.rules import NUMBERS, SCORE_MEASURES, Rule
from curation.selection import SubsetSettings, register_bucket_reason
from curation.tables import MOTION_MEASURES
from pipelines.dashboard.board import Board
from pipelines.dashboard.filters import SubsetQuery, changed_rules, with_changes
from pipelines.dashboard.index import Index
from pipelines.dashboard.judged import judged_sql
from pipelines.dashboard.what_if import MeasureQuery, set_arguments, values, what_if, wilson
from pipelines.queries import subset_recipe
from pipelines.recipe import load_recipe
from pipelines.workspace import Workspace
from tests import verdicts
from tests.boards import ODD_SUBSETS, made_board, made_workspace, odd_board, odd_workspace

SUBSETS = {
    "256p": (made_board, made_workspace),
    "768p": (made_board, made_workspace),
    **dict.fromkeys(ODD_SUBSETS, (odd_board, odd_workspace)),
}
MORE = ("luma_mean", "people", "motion_vector_px", "height", "motion_vmaf", "text_score")


@functools.cache
def judged(subset):
    return verdicts.judged_clips(SUBSETS[subset][1](), subset, rules_of(subset))


@functools.cache
def rules_of(subset):
    return SUBSETS[subset][0]().subsets()[subset]


def written(bound):
    return "" if bound is None else repr(float(bound))


@st.composite
def changes(draw, subset):
    """Some rules of the subset with other bounds, and perhaps a new one."""
    known = rules_of(subset).rules
    names = [name for name in known if (known[name].measure or name) in NUMBERS]
    chosen = draw(st.lists(st.sampled_from([*names, *MORE]), max_size=3, unique=True))
    found = []
    for name in chosen:
        measure = (known[name].measure or name) if name in known else name
        there = sorted(
            {
                clip.row[measure]
                for clip in judged(subset)
                if not verdicts.is_missing(clip.row[measure])
            }
        )
        a_bound = st.one_of(st.none(), st.sampled_from(there or [0.0]), st.floats(-1, 12, width=32))
        low, high = draw(a_bound), draw(a_bound)
        if low is not None and high is not None and low > high:
            low, high = high, low
        found.append(f"{name}:{written(low)}:{written(high)}")
    return tuple(found)


A_QUESTION = st.sampled_from([*SUBSETS]).flatmap(
    lambda subset: st.tuples(st.just(subset), changes(subset))
)


def amount(clips):
    return {"num": len(clips), "hours": pytest.approx(sum(clip.hours for clip in clips), rel=1e-9)}


def short(reason):
    return "bucket" if reason.startswith("bucket:") else reason


def again(subset, clips, why, of):
    """Clips that are kept at least and at most once what comes after the rules is judged again."""
    lost = {clip.row["clip_id"] for clip in of["lost"]}
    returning = [
        clip
        for clip in clips
        if clip.is_later
        and why[id(clip)] is None
        and (
            clip.duplicate_of in lost
            if clip.verdict_reason.startswith("duplicate")
            else lost and clip.verdict_reason.startswith("retrieval")
        )
    ]
    least = len(of["kept"]) + (0 if has_later(subset) else len(of["gained"]))
    return {
        "least": least,
        "most": len(of["kept"] + of["gained"] + of["unknown"] + returning),
    }


def has_later(subset):
    rules, recipe = rules_of(subset), subset_recipe(SUBSETS[subset][1](), subset)
    return rules.retrieval or rules.review or recipe.get("selection", {}).get("duplicates")


@settings(max_examples=60, deadline=None)
@given(A_QUESTION)
def test_a_what_if_is_what_judging_every_clip_gives(asked):
    subset, rule = asked
    board, clips = SUBSETS[subset][0](), judged(subset)
    changed = changed_rules(rules_of(subset), rule)
    found = what_if(board, SubsetQuery(subset=subset, rule=rule))
    why = {id(clip): verdicts.reason(clip, rules_of(subset), changed) for clip in clips}
    of = {name: [] for name in ("kept", "lost", "gained", "unknown", "rejected")}
    for clip in clips:
        of[verdicts.outcome(clip, why[id(clip)])].append(clip)
    del of["rejected"]
    assert found["outcomes"] == {name: amount(some) for name, some in of.items()}
    assert found["before"] == amount([clip for clip in clips if clip.verdict == "ok"])
    assert found["after"] == amount(of["kept"] + of["gained"])
    assert found["known"] == len(of["kept"] + of["gained"])
    assert found["most"] == found["known"] + len(of["unknown"])
    assert found["again"] == again(subset, clips, why, of)
    after = Counter(
        short(why[id(clip)] or clip.verdict_reason)
        for clip in clips
        if why[id(clip)] or clip.is_later
    )
    before = Counter(short(clip.verdict_reason) for clip in clips if clip.verdict_reason)
    assert {row["reason"]: (row["num_before"], row["num"]) for row in found["reasons"]} == {
        name: (before[name], after[name]) for name in {*before, *after}
    }


@pytest.mark.parametrize("subset", SUBSETS)
def test_without_changes_nothing_changes(subset):
    found = what_if(SUBSETS[subset][0](), SubsetQuery(subset=subset))
    kept = sum(clip.verdict == "ok" for clip in judged(subset))
    assert kept > 0
    assert found["known"] == found["most"] == found["before"]["num"] == kept
    assert found["estimate"] == {"num": kept, "low": kept, "high": kept, "num_audited": 0}
    assert found["sets"] == []
    assert all(row["num"] == row["num_before"] for row in found["reasons"])


@settings(max_examples=40, deadline=None)
@given(A_QUESTION, st.data())
def test_the_values_of_a_drag_count_what_a_what_if_counts(asked, data):
    subset, rule = asked
    ruled = [one.measure or name for name, one in rules_of(subset).rules.items()]
    measure = data.draw(st.sampled_from([name for name in {*ruled, *MORE} if name in NUMBERS]))
    own = {name for name, one in rules_of(subset).rules.items() if (one.measure or name) == measure}
    rule = tuple(one for one in rule if one.partition(":")[0] not in {measure, *own})
    board, clips = SUBSETS[subset][0](), judged(subset)
    found = values(board, MeasureQuery(subset=subset, rule=rule, measure=measure))
    off = {name: Rule(measure=measure) for name in own}
    changed = changed_rules(rules_of(subset), rule) | off
    passing = [
        (clip, why)
        for clip in clips
        if not clip.is_later
        and (why := verdicts.reason(clip, rules_of(subset), changed)) in (None, "unknown")
    ]
    free = measure in MOTION_MEASURES
    exempt = [clip for clip, why in passing if free and clip.row["is_image"] and why is None]
    assert (found["exempt"], found["every"]) == (len(exempt), 1)
    assert found["exempt_hours"] == pytest.approx(sum(clip.hours for clip in exempt))
    for name, reason in (("known", None), ("unknown", "unknown")):
        pairs = sorted(
            (float(clip.row[measure]), clip.hours)
            for clip, why in passing
            if why == reason and clip not in exempt and not verdicts.is_missing(clip.row[measure])
        )
        assert found[name].tolist() == [value for value, _ in pairs]
        added = [0.0, *itertools.accumulate(hours for _, hours in pairs)]
        assert found[f"{name}_hours"][-1] == pytest.approx(added[-1], rel=1e-5)
        assert len(found[f"{name}_hours"]) == len(added)


def test_a_drag_over_the_values_gives_the_count_of_the_server():
    board = made_board()
    found = values(board, MeasureQuery(subset="256p", measure="motion_vmaf"))
    for low in (0.0, 0.5, 2.0, 3.25, 1e9):
        told = what_if(board, SubsetQuery(subset="256p", rule=(f"motion_vmaf:{low}:",)))
        by_drag = [int((found[name] >= np.float32(low)).sum()) for name in ("known", "unknown")]
        assert by_drag == [told["known"], told["most"] - told["known"]]
        seconds = 3600 * found["known_hours"][-1] - 3600 * found["known_hours"][-1 - by_drag[0]]
        assert seconds == pytest.approx(3600 * told["after"]["hours"], abs=1.0)


@pytest.mark.parametrize(
    ("passed", "num", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_that_of_the_published_table(passed, num, low, high):
    found = wilson(passed, num)
    assert found.share == passed / num
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(st.integers(1, 10**6).flatmap(lambda num: st.tuples(st.integers(0, num), st.just(num))))
def test_the_interval_holds_the_share_and_stays_between_0_and_1(trials):
    found = wilson(*trials)
    assert 0 <= found.low <= found.share + 1e-12
    assert found.share - 1e-12 <= found.high <= 1


RULES = SubsetSettings(rules={"motion_vmaf": {"min": 2.0}, "aesthetic": {"min": 4.5}})
CHANGE = ("motion_vmaf:1:", "aesthetic:5:")


def sampled_board(seed):
    """3,000 clips of which models saw those that move and a tenth of the others; the true count.

    What moves little is prettier here, so that a guess from the kept clips would be wrong, and a
    good part of what the rules let pass is a duplicate.
    """
    drawn = np.random.default_rng(seed)
    motion = drawn.gamma(2.0, 1.0, 3_000)
    aesthetic = drawn.normal(5.2 - 0.3 * motion, 0.6)
    audit = drawn.random(3_000) < 0.1
    scored = (motion >= 2) | audit
    doubled = (motion >= 2) & (aesthetic >= 4.5) & (drawn.random(3_000) < 0.4)
    true = int(((motion >= 1) & (aesthetic >= 5) & ~doubled).sum())
    rules = [
        "motion_vmaf" if slow else "aesthetic" if plain else "duplicate" if twice else None
        for slow, plain, twice in zip(motion < 2, aesthetic < 4.5, doubled, strict=True)
    ]
    given = {"motion_vmaf": motion, "aesthetic": np.where(scored, aesthetic, np.nan)}
    given |= {"why": np.array([why or "" for why in rules]), "audit": audit, "scored": scored}
    known = {"duration_s": "8.0", "num_frames": "240", "width": "1920", "height": "1080"}
    known |= {"content_width": "NULL", "content_height": "NULL", "is_image": "false"}
    known |= {"motion_vmaf": "motion_vmaf::FLOAT", "aesthetic": "nullif(aesthetic, 'nan')::FLOAT"}
    connection = duckdb.connect()
    names = np.arange(3_000).astype(str)
    given |= {"clip_id": names, "duplicate_of": np.where(doubled, names[0], "")}
    connection.register("given", given)
    register_bucket_reason(connection, RULES.buckets)
    columns = ", ".join(f"{sql} AS {name}" for name, sql in known.items())
    connection.execute(
        f"""CREATE TABLE decided_0 AS SELECT *, {judged_sql(RULES)} FROM (SELECT {columns},
            clip_id, nullif(duplicate_of, '') AS duplicate_of,
            nullif(why, '') AS verdict_reason, if(why = '', 'ok', 'rejected') AS verdict,
            audit AND why <> '' AS audit, scored AS is_scored FROM given)"""  # noqa: S608
    )
    connection.execute(
        """CREATE TABLE subsets AS
        SELECT 'all' AS subset, 0 AS place, $rules AS settings, true AS has_duplicates""",
        {"rules": RULES.model_dump_json()},
    )
    board = Board(Workspace("/nowhere"))
    board._index = Index(connection, [], {})
    return board, true


def test_the_estimate_from_the_audit_share_holds_the_truth_19_times_in_20():
    held, errors = 0, []
    for seed in range(60):
        board, true = sampled_board(seed)
        found = what_if(board, SubsetQuery(subset="all", rule=CHANGE))
        estimate = found["estimate"]
        assert found["known"] < true < found["most"]
        assert (
            found["known"]
            <= estimate["low"]
            <= estimate["num"]
            <= estimate["high"]
            <= found["most"]
        )
        held += estimate["low"] <= true <= estimate["high"]
        errors.append(estimate["num"] - true)
    assert held >= 53, f"the interval held the truth {held} times of 60"
    # No bias: the mean error is within three of its standard errors.
    assert abs(np.mean(errors)) < 3 * np.std(errors) / math.sqrt(len(errors))


def test_without_audited_clips_there_is_no_estimate_but_bounds():
    board, _ = sampled_board(0)
    board._index.connection.execute("UPDATE decided_0 SET audit = false")
    found = what_if(board, SubsetQuery(subset="all", rule=CHANGE))
    assert found["estimate"] is None
    assert found["known"] < found["most"]


def test_the_arguments_make_the_recipe_that_was_tried(tmp_path):
    before = rules_of("256p")
    rule = ("motion_vmaf:1.25:", "motion_vector_px::", "luma_mean:0.1:0.9", "nsfw::0.5")
    found = set_arguments("256p", before, changed_rules(before, rule))
    assert found == [
        "subsets.256p.rules.motion_vmaf.min=1.25",
        "subsets.256p.rules.motion_vector_px.min=null",
        "subsets.256p.rules.motion_vector_px.max=null",
        "subsets.256p.rules.luma_mean.min=0.1",
        "subsets.256p.rules.luma_mean.max=0.9",
    ]
    file = tmp_path / "recipe.yaml"
    file.write_text(json.dumps(made_recipe().model_dump(mode="json")))
    tried = with_changes(before, changed_rules(before, rule))
    assert load_recipe(str(file), found).recipe.subsets["256p"] == tried


@pytest.mark.parametrize("name", sorted(NUMBERS))
def test_every_number_can_be_asked_for(name):
    found = values(odd_board(), MeasureQuery(subset="odd", measure=name))
    assert len(found["known"]) + len(found["unknown"]) + found["exempt"] <= 400
    assert (name in SCORE_MEASURES) or len(found["unknown"]) >= 0


def test_an_unknown_subset_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="no subset is called 'nope'; there are: 256p, 768p"):
        what_if(made_board(), SubsetQuery(subset="nope"))
