import numpy as np

from training.data.draws import draws, keys_of


def test_draws_are_those_of_an_id_whatever_stands_beside_it() -> None:
    ids = [f"clip-{number}" for number in range(100)]
    keys = keys_of(ids)
    assert len({*keys.tolist()}) == 100
    assert (keys_of(ids[::-1]) == keys[::-1]).all()
    assert (draws(keys[10:20], 1, "a", 2) == draws(keys, 1, "a", 2)[10:20]).all()


def test_draws_do_not_change_between_versions() -> None:
    # A resumed run must find the order that it left.
    keys = keys_of(["a", "b"])
    assert keys.tolist() == [3405396810240292928, 8453121595177857668]
    assert draws(keys, 0, "order", 1).tolist() == [3836160964959418572, 14262360713131045467]


def test_draws_are_uniform_and_unlike_for_other_keys_seeds_and_parts() -> None:
    keys = keys_of(str(number) for number in range(50_000))
    sets = [
        draws(keys, *parts) for parts in ((0, "a"), (1, "a"), (0, "b"), (0, "a", 0), (0, "a", 1))
    ]
    # Neighbouring numbers as keys, as the steps of an epoch have.
    sets.append(draws(np.arange(50_000, dtype=np.uint64), 0, "a"))
    uniforms = [numbers / 2.0**64 for numbers in sets]
    for one in uniforms:
        counts = np.histogram(one, 100, (0, 1))[0]
        assert ((counts - 500) ** 2 / 500).sum() < 160, "99 degrees of freedom"
        assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 0.02
    for numbers in sets:
        bits = np.unpackbits(numbers.view(np.uint8)).reshape(-1, 64).mean(axis=0)
        assert np.abs(bits - 0.5).max() < 0.012, "each bit is set half of the time"
    correlations = np.corrcoef(uniforms) - np.eye(len(uniforms))
    assert np.abs(correlations).max() < 0.02
