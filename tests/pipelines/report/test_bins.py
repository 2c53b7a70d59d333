import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.report.bins import as_measured, axis, binned

VALUES = st.lists(
    st.one_of(st.floats(-1e4, 1e4, width=32), st.sampled_from([0.0, 0.5, 2.0, 7.0]), st.just(1e6)),
    max_size=60,
)
BOUNDS = st.lists(st.sampled_from([0.0, 0.02, 0.5, 0.85, 2.0, 2.01, 7.0]), max_size=2, unique=True)


def made(values, bounds, kind):
    values = np.array(values, np.float32 if kind == pa.float32() else np.float64).astype(np.float64)
    if pa.types.is_integer(kind):
        values = np.round(values)
    bounds = [as_measured(bound, kind) for bound in bounds]
    return values, bounds, axis(values, bounds, kind)


@given(VALUES, BOUNDS, st.sampled_from([pa.float32(), pa.float64(), pa.int32()]))
def test_edges_hold_all_values_and_every_bound(values, bounds, kind):
    values, bounds, scale = made(values, bounds, kind)
    edges = scale.edges
    assert list(edges) == sorted(set(edges))
    assert set(bounds) <= set(edges[1:-1])
    assert not values.size or edges[0] <= values.min() <= values.max() <= edges[-1]
    assert scale.places[0] == 0
    assert scale.places[-1] == 1
    assert list(scale.places) == sorted(scale.places)
    assert len(scale.widths) == len(edges) - 1 <= 90


@given(VALUES, BOUNDS, st.data())
def test_counts_between_any_two_edges_are_those_of_inclusive_bounds(values, bounds, data):
    values, _, scale = made(values, bounds, pa.float32())
    seconds = np.arange(len(values), dtype=np.float64) / 8
    bins = binned(values, seconds, scale.edges)
    low = data.draw(st.integers(0, len(scale.edges) - 1))
    high = data.draw(st.integers(low, len(scale.edges) - 1))
    inside = (values >= scale.edges[low]) & (values <= scale.edges[high])
    num, total = bins.within(low, high)
    assert num == np.count_nonzero(inside)
    assert total == pytest.approx(seconds[inside].sum())
    assert sum(bins.bars()) == len(values)


def test_a_bound_is_an_edge_in_the_type_of_its_measure():
    assert as_measured(0.85, pa.float32()) == float(np.float32(0.85)) != 0.85
    assert as_measured(0.85, pa.float64()) == 0.85
    scale = axis(np.array([0.0, 1.0]), [as_measured(0.85, pa.float32())], pa.float32())
    bins = binned(np.array([np.float32(0.85)]).astype(float), np.ones(1), scale.edges)
    assert bins.within(0, scale.edges.index(float(np.float32(0.85))))[0] == 1


def test_edges_are_round_and_far_values_share_a_tail():
    values = np.concatenate([np.linspace(0, 10, 999), [5000.0]])
    scale = axis(values, [2.0], pa.float32())
    assert scale.edges[:4] == (0.0, 0.5, 1.0, 1.5)
    assert scale.edges[-1] == 5000
    assert scale.edges[-2] == 10
    assert scale.widths[-1] == 1


def test_without_values_there_is_an_axis_all_the_same():
    scale = axis(np.array([]), [], pa.float32())
    assert (scale.edges[0], scale.edges[-1]) == (0, 1)
    assert sum(binned(np.array([]), np.array([]), scale.edges).bars()) == 0
