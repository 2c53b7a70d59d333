"""SmolLM2 135M Instruct, a small language model of the Llama family, that completes texts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curation.models.devices import ready, required
from curation.models.smollm2 import loaded

MOST_NEW_TOKENS = 64


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
        self._tokenizer, self._model = loaded(weights)
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
