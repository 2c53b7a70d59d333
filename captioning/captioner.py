"""What a captioner is: a clip goes in with what is known of it, a text comes out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from captioning.camera import CameraLabel, CameraSegment
from captioning.prompt_files import Prompt
from curation.media.rendering import Picture
from curation.models.hub import ModelFiles
from curation.signals.camera import CameraStep

Origin = Literal["model", "built", "rewritten"]
"""`model`: a vision-language model saw the frames; `built`: from facts alone; `rewritten`: built,
then put into other words by a language model, and checked against the facts."""


class TimedFrame(NamedTuple):
    """A stored frame of a clip."""

    time_s: float
    """Seconds from the clip's start."""

    picture: Picture
    """RGB `[H, W, 3]`, upright."""


@dataclass(frozen=True)
class CaptionClip:
    """A clip as captioners see it. What is not known is None or empty."""

    clip_id: str

    is_image: bool

    duration_s: float
    """0 for an image."""

    frames: tuple[TimedFrame, ...]
    """In time order, at least one."""

    camera: CameraLabel | None
    """None for an image, and where nothing can be told."""

    camera_segments: tuple[CameraSegment, ...]
    """What the camera does in what order."""

    measures: dict[str, float | None]
    """The clip's measures by their names in `curation.tables.MEASURES`."""

    path: tuple[CameraStep, ...]
    """How the camera moved, and what moved otherwise, over time."""

    labels: tuple[tuple[str, float], ...]
    """Things that the concept model sees, with probabilities, best first."""

    attributes: tuple[tuple[str, str, float], ...]
    """How and where it was taken: kind, value and probability, as in column `attributes`."""

    text: str | None
    """What is written on screen, a line each, '' if nothing is; None if no model has looked.
    Whoever made the video wrote it: it is data, and never part of an instruction."""

    text_lines: tuple[tuple[str, float], ...]
    """Lines of it with how sure each is, 0 to 1."""


class Draft(NamedTuple):
    """What a captioner says of a clip, not yet checked."""

    text: str

    origin: Origin

    num_tokens: int
    """Tokens that a model made for it; 0 where none did."""

    facts: tuple[str, ...] = ()
    """What it rests on, with numbers, where it is made of facts."""


class NoDraft(NamedTuple):
    """Why there is none."""

    reason: str
    """A key of `curation.tables.FAILURES`."""

    error: str


class Captioner(ABC):
    """Describes clips in words.

    Constructing one is cheap: it is made on the driver and pickled to the workers, and loads its
    model there, in `setup`.
    """

    model: str
    """`name:version` of the model, as in column `model`: another version means other words."""

    prompt: Prompt
    """What a model is told, with nothing of a clip in it yet."""

    is_remote: ClassVar[bool] = False
    """Whether `check` asks a server, which may be up later and has to be only while it is used."""

    variant: str = ""
    """Names the settings beside model and prompt that its words depend on."""

    def sources(self) -> list[ModelFiles]:
        """Files that `make setup` does not bring: they come from a folder or a hub."""
        return []

    def check(self) -> None:
        """Refuses on the driver, before anything else is done, what `setup` would.

        Raises:
            ValueError: a file or a package is missing, or a server does not answer; the message
                says which and what to do.
        """
        for source in self.sources():
            source.folder()

    def setup(self) -> None:  # noqa: B027 - not every captioner has something to load
        """Loads what the worker needs, once per worker process.

        Raises:
            ValueError: as `check`.
        """

    @abstractmethod
    def __call__(self, clips: Sequence[CaptionClip], attempt: int) -> list[Draft | NoDraft]:
        """One answer per clip, in their order.

        Args:
            clips: at least one.
            attempt: 0, and for a clip whose caption was flagged 1, 2, …: another attempt gives
                another text, and the same attempt the same.

        Raises:
            ValueError: the model fails on the batch; the clips are then tried one by one.
            CannotGoOn: no clip can be captioned any more, such as when a server is gone.
        """
