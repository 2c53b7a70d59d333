"""Text encoders that need no hub: two models that packages carry, and bytes as they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from curation.models import minilm, smollm2
from curation.models.devices import Device, ready
from curation.models.hub import ModelFiles
from curation.models.minilm import MiniLM
from curation.models.model import weights_file
from training.text.encoders import TextEncoder
from training.text.settings import TextEncoderSettings


class MiniLMText(TextEncoder):
    """The hidden states of all-MiniLM-L6-v2 before it averages them; fast, and of English."""

    def __init__(self, name: str, settings: TextEncoderSettings, weights: Path) -> None:
        """Remembers where the weights are.

        Args:
            name: what the recipe calls it.
            settings: what it reads.
            weights: the folder of the packaged models' files.

        Raises:
            ValueError: the recipe asks for more tokens than the network was taught on.
        """
        super().__init__(name, settings, minilm.SIZE, minilm.MOST_TOKENS)
        self._weights = weights
        self._network: MiniLM | None = None

    def _weights_version(self) -> str:
        names = (minilm.FILE, minilm.TOKENIZER)
        for name in names:
            weights_file(self._weights, name)
        return ModelFiles(str(self._weights), None, names).version

    def load(self, device: Device) -> None:
        """Loads the network."""
        self._network = MiniLM(self._weights, device, self.spec.max_tokens)

    def _embed(self, texts: Sequence[str]) -> list[npt.NDArray[Any]]:
        assert self._network is not None, "load comes first"
        return [*self._network.hidden_states(texts)]


class SmolLM2Text(TextEncoder):
    """The last hidden states of SmolLM2 135M Instruct, each of which has seen the tokens before it.

    The first token is where such models put attention that has nowhere to go, and says little.
    """

    def __init__(self, name: str, settings: TextEncoderSettings, weights: Path) -> None:
        """Remembers where the weights are.

        Args:
            name: what the recipe calls it.
            settings: what it reads.
            weights: the folder of the packaged models' files.
        """
        super().__init__(name, settings, smollm2.SIZE, None)
        self._weights = weights
        self._network: Any = None

    def _weights_version(self) -> str:
        return smollm2.VERSION

    def load(self, device: Device) -> None:
        """Loads the network; reads its file for a quarter of a minute the first time."""
        self._device = str(ready(device))
        self._tokenizer, whole = smollm2.loaded(self._weights)
        self._network = whole.model.to(self._device)

    def _embed(self, texts: Sequence[str]) -> list[npt.NDArray[Any]]:
        assert self._network is not None, "load comes first"
        network = self._network
        tokens = [self._tokenizer(text)["input_ids"][: self.spec.max_tokens] for text in texts]

        def infer(tokens_nl: Any) -> Any:  # noqa: ANN401 - PyTorch is imported late
            return network(tokens_nl, use_cache=False).last_hidden_state

        return [*self._states(tokens, infer, self._device)]


class ByteText(TextEncoder):
    """The UTF-8 of the text, which an encoder embeds that is trained with the transformer."""

    takes: ClassVar[type] = np.uint8

    def __init__(self, name: str, settings: TextEncoderSettings) -> None:
        """Has nothing to load.

        Args:
            name: what the recipe calls it.
            settings: what it reads, and the shape of the encoder.
        """
        super().__init__(name, settings, settings.dim, None)

    def _weights_version(self) -> str:
        return "utf-8"

    def load(self, device: Device) -> None:
        """Nothing is to be loaded."""

    def _embed(self, texts: Sequence[str]) -> list[npt.NDArray[Any]]:
        most = self.spec.max_tokens
        # No character is cut in two.
        cut = [text.encode()[:most].decode("utf-8", "ignore").encode() for text in texts]
        return [np.frombuffer(content, np.uint8) for content in cut]
