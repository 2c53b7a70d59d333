"""Text encoders of open_clip: the text tower of a CLIP."""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from curation.models.devices import Device, ready, required
from training.text.encoders import TextEncoder
from training.text.hub import (
    OPEN_CLIP_CONFIG,
    group,
    model_files,
    number,
    read_config,
    weights_version,
)
from training.text.settings import TextEncoderSettings


class OpenClipText(TextEncoder):
    """The text tower of a CLIP of open_clip, per token after the last norm, without padding."""

    def __init__(self, name: str, settings: TextEncoderSettings) -> None:
        """Reads the configuration.

        Args:
            name: what the recipe calls it.
            settings: which model, and what it reads.

        Raises:
            ValueError: the configuration is missing or none of open_clip, the text tower is of
                another make than CLIP's, or the recipe asks for more tokens than it has positions.
        """
        path, config = read_config(settings, OPEN_CLIP_CONFIG)
        text = group(path, group(path, config, "model_cfg"), "text_cfg")
        # Another model's tower, a tower that reads both ways and so sees padding, CoCa's.
        for key in ("hf_model_name", "hf_tokenizer_name", "no_causal_mask", "embed_cls"):
            if text.get(key):
                raise ValueError(
                    f"{path}: its text tower has {key}, and is none of CLIP's; choose another model"
                )
        self._positions = number(path, text, "context_length", 77)
        super().__init__(name, settings, number(path, text, "width", 512), self._positions)
        self._files = model_files(settings)
        self._network: Any = None

    def _weights_version(self) -> str:
        return weights_version(self._files)

    def load(self, device: Device) -> None:
        """Loads tokenizer and text tower."""
        self._device, folder = str(ready(device)), self._files.folder()
        torch, open_clip = required("torch"), required("open_clip")
        try:
            network, _ = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
            self._tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
        except (
            *(OSError, RuntimeError, LookupError, ValueError, TypeError),
            required("safetensors").SafetensorError,
        ) as error:
            raise ValueError(f"open_clip cannot load {folder}: {error}") from error
        network.visual = None
        self._network = network.eval().to(self._device, getattr(torch, self._settings.precision))

    def _embed(self, texts: Sequence[str]) -> list[npt.NDArray[Any]]:
        assert self._network is not None, "load comes first"
        network, positions = self._network, self._positions
        pad = required("torch").nn.functional.pad

        def infer(tokens_nl: Any) -> Any:  # noqa: ANN401 - PyTorch is imported late
            # It takes full length only; no token sees those that follow, the padding.
            filled = pad(tokens_nl, (0, positions - tokens_nl.shape[1]))
            found = network.forward_intermediates(
                text=filled, text_indices=1, normalize_intermediates=True, intermediates_only=True
            )
            return found["text_intermediates"][0][:, : tokens_nl.shape[1]]

        return [*self._states([self._tokens(text) for text in texts], infer, self._device)]

    def _tokens(self, text: str) -> list[int]:
        """What open_clip's tokenizer makes of it, less the padding."""
        own = self._tokenizer
        inner = own.encode(text)[: self.spec.max_tokens - 2]
        return [own.sot_token_id, *inner, own.eot_token_id]
