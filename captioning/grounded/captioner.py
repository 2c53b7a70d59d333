"""The grounded captioner: says what is measured of a clip, and nothing else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from captioning import camera
from captioning.captioner import CaptionClip, Captioner, Draft, NoDraft
from captioning.grounded.colour_facts import brightest, change_facts, colour_facts
from captioning.grounded.colours import look
from captioning.grounded.facts import Fact, light_facts, setting_facts, subject_facts
from captioning.grounded.motion_facts import camera_facts, movement_facts
from captioning.grounded.rewriting import rewritten
from captioning.grounded.sentences import sentences
from captioning.grounded.smollm2 import SmolLM2
from captioning.prompt_files import load_prompt
from curation.models import smollm2
from curation.models.model import weights_file
from curation.settings import Settings

VERSION = 1
"""Raised when the same clip gives other facts or sentences."""

PLACE = "{{two}}"
"""Where the prompt has the sentences."""


class GroundedSettings(Settings):
    """Captions of measured facts alone: colours, light, motion, what is written, what is sure."""

    rewriter: Literal["smollm2"] | None = "smollm2"
    """A small language model that joins sentences; what it makes up is refused. `null`: the
    sentences stay as they are built, for a tenth of the cost."""

    prompt: str = "join"
    """What it is asked: a prompt that comes with Moviola, or the path of a `.txt` file, with the
    two sentences at `{{two}}`."""


class GroundedCaptioner(Captioner):
    """Builds sentences of facts, and has pairs of them joined."""

    def __init__(self, settings: GroundedSettings, weights: Path) -> None:
        """Reads the prompt; `setup` loads the language model, where there is one.

        Args:
            settings: whether to rewrite, and how.
            weights: the folder of the model files.

        Raises:
            ValueError: the prompt cannot be read, or has no place for the sentences.
        """
        self._settings, self._weights = settings, weights
        self.prompt = load_prompt(settings.prompt)
        self.prompt.filled(two="")
        if self.prompt.text.count(PLACE) != 1:
            raise ValueError(f"prompt {settings.prompt!r} should have {PLACE} once")
        by = f"smollm2-{smollm2.VERSION}" if settings.rewriter else "built"
        self.model = f"grounded:{VERSION}-{by}"
        self.variant = f"camera-{camera.VERSION}"
        self._rewriter: SmolLM2 | None = None

    def check(self) -> None:
        """Refuses a missing model."""
        if self._settings.rewriter:
            weights_file(self._weights, smollm2.FILE)

    def setup(self) -> None:
        """Loads the language model, and lets it read the beginning of its prompt."""
        if self._settings.rewriter:
            beginning, _, self._ending = self.prompt.text.partition(PLACE)
            self._rewriter = SmolLM2(self._weights, beginning)

    def __call__(self, clips: Sequence[CaptionClip], attempt: int) -> list[Draft | NoDraft]:
        """A caption of each clip; another attempt words it otherwise."""
        found = [facts(clip) for clip in clips]
        keys = [f"{clip.clip_id}:{attempt}" for clip in clips]
        built = [sentences(one, key) for one, key in zip(found, keys, strict=True)]
        if self._rewriter is None:
            return [
                Draft(" ".join(said), "built", 0, _shown(of))
                for said, of in zip(built, found, strict=True)
            ]
        return [
            Draft(
                " ".join(said.sentences),
                "rewritten" if said.num_accepted else "built",
                said.num_tokens,
                _shown(of),
            )
            for said, of in zip(rewritten(built, self._complete), found, strict=True)
        ]

    def _complete(self, texts: Sequence[str]) -> list[tuple[str, int]]:
        assert self._rewriter is not None
        return self._rewriter([f"{text}{self._ending}" for text in texts]) if texts else []


def facts(clip: CaptionClip) -> list[Fact]:
    """What can be said of the clip, in the order in which a caption says it."""
    looks = [look(frame.picture) for frame in clip.frames]
    found = [*subject_facts(clip), *setting_facts(clip), *colour_facts(clip, looks)]
    if clip.is_image:
        return [*found, *brightest(looks), *light_facts(clip)]
    ends = [fact for fact in found if fact.kind.endswith("at_last")]
    found = [fact for fact in found if fact not in ends]
    moves = [*camera_facts(clip), *movement_facts(clip, looks)]
    place = [] if ends else list(brightest(looks))
    return [*found, *place, *moves, *ends, *change_facts(looks), *light_facts(clip)]


def _shown(found: Sequence[Fact]) -> tuple[str, ...]:
    return tuple(f"{fact.kind}: {fact.evidence}" for fact in found)
