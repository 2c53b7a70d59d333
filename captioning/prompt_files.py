"""Prompts: text files, named by a hash of their content, so that changing one redoes its captions.

A prompt may name values in double braces, such as `{{duration}}`; everything else is sent as it
stands.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "prompts"
"""The prompts that come with Moviola."""

_VALUE = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True)
class Prompt:
    """A prompt and its name."""

    name: str

    text: str

    @property
    def version(self) -> str:
        """The name and twelve hex digits of the text's SHA-256, such as `describe-0a1b2c3d4e5f`."""
        return f"{self.name}-{hashlib.sha256(self.text.encode()).hexdigest()[:12]}"

    def filled(self, **values: str) -> str:
        """The text with its values put in, once: braces inside a value stay what they are.

        Raises:
            ValueError: the text names a value that is not given.
        """

        def value(match: re.Match[str]) -> str:
            if match[1] not in values:
                known = ", ".join(f"{{{{{name}}}}}" for name in values)
                raise ValueError(f"prompt {self.name} names {match[0]}; it may name {known}")
            return values[match[1]]

        return _VALUE.sub(value, self.text)


def load_prompt(name: str) -> Prompt:
    """The prompt of this name or path.

    Args:
        name: of a packaged prompt, such as `describe`, or the path of a file that ends in `.txt`.

    Raises:
        ValueError: it cannot be read, is no text, or is empty.
    """
    path = Path(name) if name.endswith(".txt") else FOLDER / f"{name}.txt"
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(sorted(found.stem for found in FOLDER.glob("*.txt")))
        raise ValueError(
            f"prompt {name!r} cannot be read ({error}); there are {known}, or a path ends in .txt"
        ) from error
    if not text:
        raise ValueError(f"prompt {path} is empty")
    return Prompt(path.stem, text)
