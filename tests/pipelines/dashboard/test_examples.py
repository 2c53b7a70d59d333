import functools
import io
import math

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.rules import MEASURES
from curation.tables import MOTION_MEASURES
from pipelines.dashboard.examples import (
    ExportQuery,
    PageQuery,
    choices,
    clips,
    export,
)
from pipelines.dashboard.filters import ClipFilter, changed_rules
from pipelines.queries import subset_settings
from tests import media
from tests.boards import (
    body_of,
    made_board,
    made_workspace,
    odd_board,
    odd_workspace,
    ready,
    site,
)
from tests.verdicts import is_missing, judged_clips, outcome, reason

WORKSPACES = {"made": made_workspace, "odd": odd_workspace}
BOARDS = {"made": made_board, "odd": odd_board}
SUBSETS = [("made", "256p"), ("odd", "odd"), ("odd", "by measures")]
RULES = ["motion_vmaf:2:6", "sharpness:0.4:", "aesthetic:4.5:", "border_share::"]


@functools.cache
def judged(name, subset):
    return judged_clips(WORKSPACES[name](), subset, rules_of(name)[subset])


@functools.cache
def rules_of(name):
    return subset_settings(WORKSPACES[name]())


@functools.cache
def selected(name, subset):
    rows = WORKSPACES[name]().table("selection").read().to_pylist()
    return {row["clip_id"]: row for row in rows if row["subset"] == subset}


@functools.cache
def captions(name):
    table, found = WORKSPACES[name]().table("captions/facts"), {}
    for row in table.read().to_pylist() if table.exists() else ():
        found.setdefault(row["clip_id"], []).append(row)
    return found


@functools.cache
def uris(name):
    rows = WORKSPACES[name]().table("videos").read().to_pylist()
    return {row["video_id"]: row["uris"] for row in rows}


def number(measure, value):
    return np.float32(value) if MEASURES[measure] == pa.float32() else float(value)


def has_text(name, clip, text):
    said = [row["caption"] or "" for row in captions(name).get(clip.row["clip_id"], ())]
    places = ["\n".join(uris(name)[clip.row["video_id"]]), clip.row["clip_id"]]
    return any(text.lower() in one.lower() for one in (*said, *places))


def matches(name, asked, clip):
    row = selected(name, asked.subset)[clip.row["clip_id"]]
    if asked.verdict and (asked.verdict == "kept") != (clip.verdict == "ok"):
        return False
    if asked.reason is not None and clip.verdict_reason != asked.reason:
        return False
    if asked.concept and row["concept_id"] not in asked.concept:
        return False
    if asked.video is not None and clip.row["video_id"] != asked.video:
        return False
    if asked.duplicate_of is not None and row["duplicate_of"] != asked.duplicate_of:
        return False
    if asked.flag is not None and not any(
        asked.flag in (one["flags"] or ()) for one in captions(name).get(clip.row["clip_id"], ())
    ):
        return False
    if asked.text is not None and not has_text(name, clip, asked.text):
        return False
    if asked.outcome is not None:
        rules = rules_of(name)[asked.subset]
        found = reason(clip, rules, changed_rules(rules, asked.rule))
        if outcome(clip, found) != asked.outcome:
            return False
    if asked.measure is None or (asked.low is None and asked.high is None):
        return True
    value = clip.row[asked.measure]
    if is_missing(value):
        return False
    low, high = asked.low, asked.high
    return (low is None or value >= number(asked.measure, low)) and (
        high is None or value <= number(asked.measure, high)
    )


def every_clip(board, asked):
    size, found = 200, []
    while True:
        page = clips(board, PageQuery(**asked.model_dump(), page=len(found) // size, size=size))
        found += page["clips"]
        if len(page["clips"]) < size:
            return page, found


@st.composite
def filters(draw):
    name, subset = draw(st.sampled_from(SUBSETS))
    rows = judged(name, subset)
    one = draw(st.sampled_from(rows))
    row = selected(name, subset)[one.row["clip_id"]]
    measure = draw(st.sampled_from([None, "motion_vmaf", "sharpness", "width", "aesthetic"]))
    value = one.row[measure] if measure else None
    bound = None if is_missing(value) else float(value)
    maybe = lambda found: draw(st.sampled_from([None, None, None, found]))  # noqa: E731
    concept = maybe(row["concept_id"])
    changed = draw(st.lists(st.sampled_from(RULES), max_size=2, unique=True))
    words = (captions(name).get(one.row["clip_id"]) or [{"caption": "a"}])[0]["caption"] or "a"
    return name, ClipFilter(
        subset=subset,
        verdict=maybe(draw(st.sampled_from(["kept", "rejected"]))),
        reason=maybe(one.verdict_reason),
        outcome=maybe(draw(st.sampled_from(["kept", "gained", "lost", "unknown"]))),
        rule=tuple(changed),
        measure=measure,
        low=draw(st.sampled_from([None, bound])),
        high=draw(st.sampled_from([None, bound])),
        concept=() if concept is None else (concept,),
        duplicate_of=maybe(row["duplicate_of"]),
        video=maybe(one.row["video_id"]),
        flag=maybe(draw(st.sampled_from(["too_short", "contradicts_text"]))),
        text=maybe(draw(st.sampled_from([one.row["clip_id"][:3].upper(), words[:9], "%", "'"]))),
        order=draw(st.sampled_from(["near", "random", "best", "worst", "time"])),
    )


@settings(max_examples=15, deadline=None)
@given(filters())
def test_pages_hold_the_clips_that_pass_the_filter_and_no_others(drawn):
    name, asked = drawn
    wanted = [clip for clip in judged(name, asked.subset) if matches(name, asked, clip)]
    page, found = every_clip(BOARDS[name](), asked)
    assert sorted(one["clip_id"] for one in found) == sorted(one.row["clip_id"] for one in wanted)
    assert page["num"] == len(wanted)
    assert page["hours"] == pytest.approx(sum(clip.hours for clip in wanted))


@settings(max_examples=10, deadline=None)
@given(filters())
def test_an_export_is_the_filter_in_its_order(drawn):
    name, asked = drawn
    board = BOARDS[name]()
    _, found = every_clip(board, asked)
    ids = [one["clip_id"] for one in found]
    parquet = export(board, ExportQuery(**asked.model_dump(), format="parquet"))
    assert pq.read_table(io.BytesIO(parquet.body))["clip_id"].to_pylist() == ids
    if ids:
        file = export(board, ExportQuery(**asked.model_dump(), format="csv"))
        assert pc_csv.read_csv(io.BytesIO(body_of(file)))["clip_id"].to_pylist() == ids


def margin(clip, rules):
    """How far inside the rules' bounds a clip is; None where none of them judges it."""
    found = []
    for name, rule in rules.items():
        measure = rule.measure or name
        value = clip.row[measure]
        if is_missing(value) or (clip.row["is_image"] and measure in MOTION_MEASURES):
            continue
        found += [value - rule.min] if rule.min is not None else []
        found += [rule.max - value] if rule.max is not None else []
    return min(found) if found else None


@pytest.mark.parametrize("verdict", ["kept", "rejected"])
def test_near_begins_with_the_clips_on_either_side_of_the_measures_threshold(verdict):
    board = odd_board()
    rules = {
        name: rule
        for name, rule in rules_of("odd")["odd"].rules.items()
        if (rule.measure or name) == "motion_vmaf"
    }
    asked = ClipFilter(subset="odd", verdict=verdict, measure="motion_vmaf")
    page, found = every_clip(board, asked)
    by_id = {clip.row["clip_id"]: clip for clip in judged("odd", "odd")}
    keys = [margin(by_id[one["clip_id"]], rules) for one in found]
    distances = [math.inf if key is None else abs(key) for key in keys]
    assert page["measure"] == "motion_vmaf"
    assert distances == sorted(distances)


def test_near_without_a_measure_goes_by_the_rule_that_is_the_reason():
    board = odd_board()
    page, found = every_clip(board, ClipFilter(subset="odd", reason="moves"))
    assert page["measure"] == "motion_vmaf"
    rules = {"moves": rules_of("odd")["odd"].rules["moves"]}
    by_id = {clip.row["clip_id"]: clip for clip in judged("odd", "odd")}
    distances = [abs(margin(by_id[one["clip_id"]], rules)) for one in found]
    assert len(distances) > 10
    assert distances == sorted(distances)
    assert [one["value"] for one in found] == [
        pytest.approx(by_id[one["clip_id"]].row["motion_vmaf"]) for one in found
    ]


@pytest.mark.parametrize(("name", "subset"), SUBSETS[:2])
def test_near_without_any_measure_goes_by_the_rule_that_decides_each_clip(name, subset):
    board = BOARDS[name]()
    spreads = {row["measure"]: row["high"] - row["low"] for row in board.ask("FROM spreads")}
    rules = rules_of(name)[subset].rules
    by_id = {clip.row["clip_id"]: clip for clip in judged(name, subset)}

    def distance(clip_id):
        single = [
            found / (spreads[rule.measure or own] or 1)
            for own, rule in rules.items()
            if (found := margin(by_id[clip_id], {own: rule})) is not None
        ]
        return abs(min(single)) if single else math.inf

    for verdict in ("kept", "rejected"):
        _, found = every_clip(board, ClipFilter(subset=subset, verdict=verdict))
        distances = [distance(one["clip_id"]) for one in found]
        assert distances == pytest.approx(sorted(distances))


@pytest.mark.parametrize(("order", "sign"), [("best", -1), ("worst", 1)])
def test_best_and_worst_go_by_the_measure_and_end_with_what_has_none(order, sign):
    asked = ClipFilter(subset="odd", measure="sharpness", order=order)
    _, found = every_clip(odd_board(), asked)
    by_id = {clip.row["clip_id"]: clip.row["sharpness"] for clip in judged("odd", "odd")}
    values = [by_id[one["clip_id"]] for one in found]
    keys = [math.inf if is_missing(value) else sign * value for value in values]
    assert any(math.isinf(key) for key in keys)
    assert keys == sorted(keys)


def counted(values):
    found: dict[object, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return found


@settings(max_examples=15, deadline=None)
@given(filters())
def test_choices_count_what_would_be_left(drawn):
    name, asked = drawn
    found = choices(BOARDS[name](), asked)

    def left(**without):
        looser = asked.model_copy(update=without)
        return [clip for clip in judged(name, asked.subset) if matches(name, looser, clip)]

    by_reason = [
        clip.verdict_reason
        for clip in left(verdict=None, reason=None, outcome=None)
        if clip.verdict != "ok"
    ]
    assert {row["reason"]: row["num"] for row in found["reasons"]} == counted(by_reason)
    rows = selected(name, asked.subset)
    concepts = [rows[clip.row["clip_id"]]["concept_id"] for clip in left(concept=())]
    told = counted(one for one in concepts if one is not None)
    assert {row["concept_id"]: row["num"] for row in found["concepts"]} == told
    flags = [
        flag
        for clip in left(flag=None)
        for flag in {
            flag
            for row in captions(name).get(clip.row["clip_id"], ())
            for flag in row["flags"] or ()
        }
    ]
    assert {row["flag"]: row["num"] for row in found["flags"]} == counted(flags)


@pytest.mark.parametrize(
    "text", ["' OR 1=1 --", "$text", "%", "_", "\x00", "\\", "]]>", "\U0001f3ac"]
)
def test_a_text_is_data_whatever_it_holds(text):
    found = clips(made_board(), PageQuery(subset="256p", text=text))
    assert found["num"] == sum(has_text("made", clip, text) for clip in judged("made", "256p"))


def test_what_is_no_filter_is_refused_in_words():
    with site(ready(made_workspace(), media.folder() / "cache")) as served:
        wrong = {
            "/api/clips?subset=256p&measure=clip_id)--": b"no measure that is a number",
            "/api/clips?subset=256p&low=nan&measure=fps": b"low",
            "/api/clips?subset=nowhere": b"no subset is called",
            "/api/clips?subset=256p&sql=1": b"sql",
            "/api/clips?subset=256p&size=201": b"size",
            f"/api/clips?subset=256p&text={'a' * 201}": b"text",
        }
        for path, said in wrong.items():
            answer = served.ask(path)
            assert (answer.status, said in answer.body) == (400, True), path
        answer = served.ask("/api/clips/export?subset=256p&format=csv&verdict=kept")
        assert answer.headers["content-disposition"] == 'attachment; filename="clips-256p.csv"'
        assert answer.body.count(b"\n") - 1 == sum(
            clip.verdict == "ok" for clip in judged("made", "256p")
        )
