"""Prompts to embeddings of their tokens, by models that are not trained here."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from curation.models.by_length import by_length
from curation.models.devices import Device
from curation.models.hub import ModelFiles
from curation.settings import fingerprint
from training.text.hub import model_files
from training.text.quoted import quoted
from training.text.settings import HUB_KINDS, TextEncoderSettings
from training.text.spec import TextSpec

if TYPE_CHECKING:
    import torch

VERSION = 1
"""Raised when the same model gives other arrays for the same prompt."""

MOST_TOKENS = 256
"""Where texts are cut unless the recipe says so."""

MOST_CHARACTERS = 64
"""A text has so many for each of its tokens at most, so that none takes minutes to split: open_clip
takes time by the square of a word's length."""

BATCH_SIZE = 32

States = npt.NDArray[np.float32]


class TextEncoder(ABC):
    """Turns prompts into one vector per token, or into bytes.

    Constructing one is cheap, and it is picklable until `load` has read the weights. What comes out
    for a prompt depends on nothing else in the batch. A prompt of nothing but space, or without a
    quotation where quotations are read, has no token.
    """

    takes: ClassVar[type] = np.float32
    """The type of its arrays' elements."""

    def __init__(
        self, name: str, settings: TextEncoderSettings, dim: int, positions: int | None
    ) -> None:
        """Settles the form of what comes out.

        Args:
            name: what the recipe calls it.
            settings: which model, and what it reads.
            dim: width of its embeddings.
            positions: tokens that the model can take; None for any number.

        Raises:
            ValueError: the recipe asks for more tokens than the model can take.
        """
        most = settings.max_tokens or min(MOST_TOKENS, positions or MOST_TOKENS)
        if positions is not None and most > positions:
            hint = "; there are CLIPs for long prompts" if "clip" in settings.kind else ""
            raise ValueError(
                f"text.{name}: max_tokens is {most}, and a {settings.kind} of this kind takes "
                f"{positions} tokens at most{hint}"
            )
        self._settings = settings
        is_bytes = settings.kind == "bytes"
        self.spec = TextSpec(
            name,
            dim,
            most,
            "bytes" if is_bytes else "embedding",
            settings.num_layers if is_bytes else 0,
        )

    @property
    def version(self) -> str:
        """Names weights, code and settings: another version means other arrays.

        Raises:
            ValueError: the files of the model are needed to tell, and are not there.
        """
        read = (self._settings.of, self.spec.max_tokens, self._settings.precision, VERSION)
        return f"{self._settings.kind}:{self._weights_version()}-{fingerprint(*read)[:8]}"

    @abstractmethod
    def _weights_version(self) -> str:
        """Names the weights."""

    @abstractmethod
    def load(self, device: Device) -> None:
        """Loads the weights, once per process, and bids PyTorch compute on the calling thread.

        Raises:
            ValueError: a file is missing or damaged, a package is missing, or there is no GPU and
                one is asked for.
        """

    @abstractmethod
    def _embed(self, texts: Sequence[str]) -> list[npt.NDArray[Any]]:
        """The array of each text; none is empty."""

    def __call__(self, prompts: Sequence[str]) -> list[npt.NDArray[Any]]:
        """What it says of each prompt: float32 `[L, D]`, or uint8 `[L]` of bytes; L may be 0.

        Raises:
            ValueError: an output is NaN or infinite.
        """
        texts = [self._text(prompt) for prompt in prompts]
        rows = [row for row, text in enumerate(texts) if text]
        shape = (0,) if self.spec.kind == "bytes" else (0, self.spec.dim)
        found: list[npt.NDArray[Any]] = [np.empty(shape, self.takes) for _ in prompts]
        if not rows:
            return found
        for row, array in zip(rows, self._embed([texts[row] for row in rows]), strict=True):
            if not np.isfinite(array).all():
                raise ValueError(
                    f"text.{self.spec.name} returned NaN or infinity for {texts[row][:80]!r}; with "
                    "`precision: float32` or `bfloat16` it may not"
                )
            found[row] = array
        return found

    def _text(self, prompt: str) -> str:
        """What it reads of a prompt, in characters that UTF-8 has."""
        text = quoted(prompt) if self._settings.of == "quoted" else prompt
        cut = text.strip()[: MOST_CHARACTERS * self.spec.max_tokens]
        return cut.encode("utf-8", "replace").decode("utf-8").strip()

    def _states(
        self,
        tokens: Sequence[Sequence[int]],
        infer: Callable[["torch.Tensor"], "torch.Tensor"],
        device: str,
    ) -> list[States]:
        """What the network makes of each sequence of tokens, some of which may be empty."""
        rows = [row for row, one in enumerate(tokens) if one]
        found = [np.empty((0, self.spec.dim), np.float32) for _ in tokens]
        arrays = by_length([tokens[row] for row in rows], BATCH_SIZE, infer, device)
        for row, array in zip(rows, arrays, strict=True):
            found[row] = array
        return found


def text_encoders(settings: Mapping[str, TextEncoderSettings], weights: Path) -> list[TextEncoder]:
    """The encoders of a recipe, in its order, none loaded.

    Args:
        settings: by name.
        weights: the folder of the packaged models' files.

    Raises:
        ValueError: the configuration of a `t5`, `clip` or `open_clip` is missing or is none, or the
            model cannot take as many tokens as the recipe asks for.
    """
    # They import this module.
    from training.text.embedded import ByteText, MiniLMText, SmolLM2Text
    from training.text.open_clip_text import OpenClipText
    from training.text.transformers_text import TransformersText

    kinds: dict[str, Callable[[str, TextEncoderSettings], TextEncoder]] = {
        "minilm": lambda name, one: MiniLMText(name, one, weights),
        "smollm2": lambda name, one: SmolLM2Text(name, one, weights),
        "bytes": ByteText,
        "t5": TransformersText,
        "clip": TransformersText,
        "open_clip": OpenClipText,
    }
    return [kinds[one.kind](name, one) for name, one in settings.items()]


def text_sources(settings: Mapping[str, TextEncoderSettings]) -> list[ModelFiles]:
    """The files that a recipe's encoders need and no package brings, whether they are there or not.

    Args:
        settings: by name.
    """
    return [model_files(one) for one in settings.values() if one.kind in HUB_KINDS]
