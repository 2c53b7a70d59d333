"""One finding of `moviola doctor`, and the comparison of versions behind several."""

import re
from dataclasses import dataclass
from typing import Literal

Status = Literal["good", "warning", "bad"]


@dataclass(frozen=True)
class Check:
    """One line of the doctor's answer."""

    name: str
    status: Status
    found: str
    """What is there."""
    remedy: str | None = None
    """What to do; None where all is good."""


def is_older(version: str, floor: str) -> bool:
    """Whether the version's numbers come before the floor's; suffixes such as `rc1` count not."""

    def numbers(text: str) -> list[int]:
        found = re.match(r"\D{0,2}(\d+(?:\.\d+)*)", text)
        return [int(part) for part in found.group(1).split(".")] if found else []

    return numbers(version) < numbers(floor)
