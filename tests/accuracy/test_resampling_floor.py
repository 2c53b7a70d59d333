"""Floors under concepts and resampling; see `benchmarks.accuracy.resampling`."""

from benchmarks.accuracy.resampling import figures_of, held, worst


def test_a_known_long_tail_is_evened_out_nearly_as_well_as_can_be() -> None:
    run = figures_of(num_clips=5000, num_concepts=60, cosine=0.7)
    assert run["entropy_after_nats"] > run["entropy_before_nats"] + 0.5
    assert held(worst([run])), run
