"""Which captioners a recipe has, which clips each is given, and whose caption is trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from captioning.camera import CONFIDENT
from captioning.captioner import Captioner
from captioning.grounded.captioner import GroundedCaptioner, GroundedSettings
from captioning.vision.llama import LlamaCaptioner, LlamaSettings
from captioning.vision.server import ServerCaptioner
from captioning.vision.server_settings import ServerSettings
from curation.settings import Settings
from curation.views import view_of

CaptionerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""Small letters, digits, `-` and `_`: it names a folder below `captions/`."""


class CaptioningSettings(Settings):
    """Captioners by names of your own; without one there are no captions."""

    grounded: dict[CaptionerName, GroundedSettings | None] = Field(default_factory=dict)
    """Captioners that say what is measured. `null` takes away one that the recipe inherits."""

    llama: dict[CaptionerName, LlamaSettings | None] = Field(default_factory=dict)
    """Captioners that run a vision-language model of transformers."""

    vllm: dict[CaptionerName, ServerSettings | None] = Field(default_factory=dict)
    """Captioners behind a server that speaks OpenAI's protocol, such as vLLM."""

    shares: dict[CaptionerName, NonNegativeFloat] | None = None
    """The share of the clips that each captioner is given, by hash of the clip's id; they need not
    add up to 1, and 0 is none. `null`: all the same."""

    per_clip: PositiveInt = 1
    """Captioners that caption each clip: that of its share, then the next ones."""

    training: dict[CaptionerName, NonNegativeFloat] | None = None
    """Whose captions go into shards: a weight for each captioner, by hash of the clip's id among
    those that the clip has. Who is not named has 0, and a clip with no caption but his gives no
    sample. `null`: as `shares`."""

    max_retries: NonNegativeInt = 2
    """Times that a flagged caption is tried again; the one with the fewest flags is kept."""

    max_words: PositiveInt = 200
    """Longer captions are flagged; the paper's have about 100."""

    camera_confidence: float = Field(default=CONFIDENT, ge=0, le=1)
    """How sure the camera's motion has to be to stand before the caption. The default is right for
    98 of 100 such labels."""

    @model_validator(mode="after")
    def _names_are_known(self) -> "CaptioningSettings":
        names = self.names
        views = [view_of(name) for name in names]
        for name, view in zip(names, views, strict=True):
            if views.count(view) > 1:
                raise ValueError(f"two captioners are called {name!r}, or differ in - and _ alone")
        for key, weights in (("shares", self.shares), ("training", self.training)):
            if weights is None:
                continue
            for name in weights:
                if name not in names:
                    known = ", ".join(names) or "none"
                    raise ValueError(f"{key} names {name!r}, and the captioners are {known}")
            for name in names:
                if name not in weights and key == "shares":
                    raise ValueError(f"shares does not name {name!r}; give it 0 to leave it out")
            if names and not sum(weights.values()):
                raise ValueError(f"{key} gives no captioner anything")
        return self

    @property
    def names(self) -> list[str]:
        """The captioners, in the order of the recipe."""
        groups = (self.grounded, self.llama, self.vllm)
        return [name for group in groups for name, one in group.items() if one is not None]

    @property
    def inherited(self) -> list[str]:
        """The captioners, those that are taken away by `null` too."""
        return [name for group in (self.grounded, self.llama, self.vllm) for name in group]

    @property
    def is_on(self) -> bool:
        """Whether there is any captioner."""
        return bool(self.names)

    @property
    def on_gpu(self) -> list[str]:
        """The captioners that compute on a GPU in their workers."""
        return [name for name, one in self.llama.items() if one and one.device == "cuda"]

    @property
    def clip_shares(self) -> Mapping[str, float]:
        """The share of each captioner."""
        return self.shares if self.shares is not None else dict.fromkeys(self.names, 1.0)

    @property
    def training_weights(self) -> Mapping[str, float]:
        """The weight of each captioner's captions in training."""
        return self.training if self.training is not None else self.clip_shares


def captioners(settings: CaptioningSettings, weights: Path) -> dict[str, Captioner]:
    """The captioners by name, not yet loaded.

    Args:
        settings: which.
        weights: the folder of the files that `make setup` brings.

    Raises:
        ValueError: a prompt cannot be read, or a setting makes no sense.
    """
    groups = (settings.grounded, settings.llama, settings.vllm)
    made: dict[str, Captioner] = {}
    for name, chosen in (pair for group in groups for pair in group.items()):
        try:
            match chosen:
                case GroundedSettings():
                    made[name] = GroundedCaptioner(chosen, weights)
                case LlamaSettings():
                    made[name] = LlamaCaptioner(chosen)
                case ServerSettings():
                    made[name] = ServerCaptioner(chosen)
        except ValueError as error:
            raise ValueError(f"captioner {name}: {error}") from error
    return made
