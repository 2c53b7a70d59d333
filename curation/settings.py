"""The base of every group of recipe keys: unknown keys are refused, values never change."""

import hashlib
import json

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A frozen group of recipe keys; the string under each field is that key's documentation."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def fingerprint(*parts: object) -> str:
    """Twelve hex digits that name a combination of versions and settings.

    Two runs whose parts dump to the same JSON share their results; any difference keeps them apart.
    """
    plain = [
        part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts
    ]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
