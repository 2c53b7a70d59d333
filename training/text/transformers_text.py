"""Text encoders of transformers: T5 and its kin, and the text tower of CLIP."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from curation.models.devices import Device, ready, required
from training.text.encoders import TextEncoder
from training.text.hub import CONFIG, group, model_files, number, read_config, weights_version
from training.text.settings import TextEncoderSettings

MODEL_TYPES = {"t5": ("t5",), "clip": ("clip", "clip_text_model")}
"""What `config.json` may call a model of each kind."""


class TransformersText(TextEncoder):
    """The encoder of a T5, such as UL2 and ByT5, or the text tower of a CLIP, per token.

    A CLIP's tokens are those after its last norm, up to the token that ends the text.
    """

    def __init__(self, name: str, settings: TextEncoderSettings) -> None:
        """Reads the configuration.

        Args:
            name: what the recipe calls it.
            settings: which model, and what it reads.

        Raises:
            ValueError: the configuration is missing or of another kind of model, or the recipe asks
                for more tokens than a CLIP has positions.
        """
        path, config = read_config(settings, CONFIG)
        found, expected = config.get("model_type"), MODEL_TYPES[settings.kind]
        if found not in expected:
            raise ValueError(
                f"{path}: its model_type is {found!r}, and a text encoder of kind {settings.kind} "
                f"has {' or '.join(expected)}"
            )
        if settings.kind == "t5":
            # Positions are relative, so there are as many as there are tokens.
            dim, positions = number(path, config, "d_model", 512), None
        else:
            own = group(path, config, "text_config") if found == "clip" else config
            dim = number(path, own, "hidden_size", 512)
            positions = number(path, own, "max_position_embeddings", 77)
        super().__init__(name, settings, dim, positions)
        self._files = model_files(settings)
        self._network: Any = None

    def _weights_version(self) -> str:
        return weights_version(self._files)

    def load(self, device: Device) -> None:
        """Loads tokenizer and network."""
        self._device, folder = str(ready(device)), self._files.folder()
        self._tokenizer, network = _loaded(folder, self._settings)
        if (width := network.config.hidden_size) != self.spec.dim:
            raise ValueError(f"{folder / CONFIG}: its model has width {width}, not {self.spec.dim}")
        if len(self._tokenizer) > network.config.vocab_size:
            raise ValueError(
                f"{folder}: its tokenizer has {len(self._tokenizer)} tokens, and its model knows "
                f"{network.config.vocab_size}"
            )
        self._network = network.eval().to(self._device)

    def _embed(self, texts: Sequence[str]) -> list[npt.NDArray[Any]]:
        assert self._network is not None, "load comes first"
        network, most = self._network, self.spec.max_tokens
        given = self._tokenizer(list(texts), truncation=True, max_length=most)["input_ids"]

        def infer(tokens_nl: Any) -> Any:  # noqa: ANN401 - PyTorch is imported late
            return network(input_ids=tokens_nl).last_hidden_state

        return [*self._states(given, infer, self._device)]


def _loaded(folder: Path, settings: TextEncoderSettings) -> tuple[Any, Any]:
    """Tokenizer and network, with every weight from the files."""
    torch, transformers = required("torch"), required("transformers")
    kind = transformers.T5EncoderModel if settings.kind == "t5" else transformers.CLIPTextModel
    here = {"local_files_only": True, "trust_remote_code": False}
    broken = (OSError, RuntimeError, LookupError, ValueError, TypeError, ImportError)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **here)
        network, found = kind.from_pretrained(
            folder,
            use_safetensors=True,
            dtype=getattr(torch, settings.precision),
            output_loading_info=True,
            **here,
        )
    except (*broken, required("safetensors").SafetensorError) as error:
        raise ValueError(f"transformers cannot load {folder}: {error}") from error
    # Without this they would be random, and transformers only warns.
    if lacking := sorted(found["missing_keys"]):
        raise ValueError(
            f"{folder} lacks {len(lacking)} weights of its model, such as {lacking[0]}"
        )
    return tokenizer, network
