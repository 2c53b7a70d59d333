"""SmolLM2 135M Instruct, a small language model of the Llama family that a package carries.

It comes quantised, as GGUF. transformers needs a quarter of a minute to read that, so what it has
read is kept beside the file, in half precision.
"""

import logging
import shutil
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curation.models.devices import ready, required
from curation.models.model import weights_file

FILE = "smollm2-135m-instruct-q4_1.gguf"

VERSION = "b179c9523d0e-1"
"""Starts of the file's SHA-256, and a number for the code."""

MOST_NEW_TOKENS = 64

logger = logging.getLogger(__name__)


class SmolLM2:
    """Completes texts that begin alike, greedily and up to the end of a line, on one thread."""

    def __init__(self, weights: Path, beginning: str) -> None:
        """Loads the model, and lets it read what all texts begin with.

        Args:
            weights: the folder of the model files.
            beginning: such as instructions and examples.

        Raises:
            ValueError: the file is missing or damaged, or a package is missing.
        """
        ready("cpu")
        torch = required("torch")
        self._tokenizer, self._model = _loaded(weights)
        self._beginning = self._tokenizer(beginning)["input_ids"]
        with torch.inference_mode():
            read = self._model(torch.tensor([self._beginning]), use_cache=True)
        self._read = read.past_key_values

    def __call__(self, texts: Sequence[str]) -> list[tuple[str, int]]:
        """What comes after the beginning and each of the texts, and the number of its tokens."""
        torch = required("torch")
        tokens = [self._tokenizer(text)["input_ids"] for text in texts]
        longest = max(map(len, tokens))
        pad = self._tokenizer.eos_token_id
        # The gap is between the beginning, which is read once for all, and each text.
        gaps = [longest - len(one) for one in tokens]
        rows = zip(tokens, gaps, strict=True)
        inputs = torch.tensor([self._beginning + [pad] * gap + one for one, gap in rows])
        mask = torch.ones_like(inputs)
        for row, gap in enumerate(gaps):
            mask[row, len(self._beginning) : len(self._beginning) + gap] = 0
        with torch.inference_mode():
            made = self._model.generate(
                inputs,
                attention_mask=mask,
                past_key_values=self._copy(len(texts)),
                max_new_tokens=MOST_NEW_TOKENS,
                do_sample=False,
                pad_token_id=pad,
                stop_strings=["\n"],
                tokenizer=self._tokenizer,
            )
        return [self._line(row) for row in made[:, inputs.shape[1] :].tolist()]

    def _copy(self, count: int) -> Any:  # noqa: ANN401 - a cache of transformers, untyped here
        """What was read, once for each of so many texts."""
        cache = required("transformers").DynamicCache()
        for layer, (keys, values) in enumerate((one.keys, one.values) for one in self._read.layers):
            cache.update(keys.repeat(count, 1, 1, 1), values.repeat(count, 1, 1, 1), layer)
        return cache

    def _line(self, tokens: list[int]) -> tuple[str, int]:
        text = self._tokenizer.decode(tokens, skip_special_tokens=True)
        line = text.partition("\n")[0].strip()
        return line, len(self._tokenizer(line)["input_ids"])


def _loaded(weights: Path) -> tuple[Any, Any]:
    """Tokenizer and model, from what an earlier process kept if there is such."""
    transformers = required("transformers")
    path = weights_file(weights, FILE)
    kept = weights / f"{path.stem}-{VERSION}"
    if not (kept / "config.json").is_file():
        kept = _kept(path, kept)
    here = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(kept, **here)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            kept, dtype=required("torch").float32, use_safetensors=True, **here
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(f"transformers cannot load {kept}: {error}") from error
    return tokenizer, model.eval()


def _kept(path: Path, folder: Path) -> Path:
    """Reads the GGUF and writes what is in it as safetensors; where may differ if it must."""
    transformers, torch = required("transformers"), required("torch")
    for package in ("gguf", "accelerate"):
        required(package)
    place = {"gguf_file": path.name, "local_files_only": True}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, **place)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            path.parent, dtype=torch.float16, **place
        )
    except (OSError, ValueError, RuntimeError, LookupError, struct.error) as error:
        raise ValueError(f"{path} is no model in GGUF: {error}") from error
    # It would refuse to save what it takes for quantised still.
    model.hf_quantizer, model.is_quantized = None, False
    del model.config.quantization_config
    try:
        made = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{folder.name}-"))
    except OSError:
        logger.debug("what SmolLM2 holds is not kept in %s", path.parent)
        made = Path(tempfile.mkdtemp(prefix="moviola-smollm2-"))
        folder = made
    model.save_pretrained(made)
    tokenizer.save_pretrained(made)
    if made == folder:
        return made
    made.chmod(0o755)  # who shares the folder may read it
    try:
        made.rename(folder)
    except OSError:  # another worker was faster
        shutil.rmtree(made)
    return folder
