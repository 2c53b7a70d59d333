"""Which keys of a text encoder go together."""

import pytest

from training.text.settings import TextEncoderSettings


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"kind": "t5"}, "kind t5 needs path"),
        ({"kind": "minilm", "path": "x"}, "kind minilm takes no path"),
        ({"kind": "minilm", "dim": 64}, "kind minilm takes no dim"),
        ({"kind": "smollm2", "precision": "bfloat16"}, "kind smollm2 takes no precision"),
        ({"kind": "bytes", "revision": "0" * 40}, "kind bytes takes no revision"),
        ({"kind": "clip", "path": "x", "num_layers": 3}, "kind clip takes no num_layers"),
        ({"kind": "bytes", "max_tokens": 1}, "greater than or equal to 4"),
    ],
)
def test_a_key_that_would_do_nothing_is_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TextEncoderSettings(**keys)


@pytest.mark.parametrize("kind", ["minilm", "smollm2", "bytes"])
def test_settings_survive_being_written_out(kind: str) -> None:
    settings = TextEncoderSettings(kind=kind)
    assert TextEncoderSettings(**settings.model_dump()) == settings
