"""What `moviola doctor` answers: each check says good, or what to do."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from pipelines.check import Check
from pipelines.doctor_machine import machine
from pipelines.doctor_software import software


def checks(workspace: str | None = None) -> list[Check]:
    """Every check, in a fixed order; with a workspace its storage is tried too."""
    return [*software(), *machine(workspace)]


def exit_code(found: Sequence[Check]) -> int:
    """0 when nothing is bad, 4 when the storage is, 1 when something else is."""
    bad = {check.name for check in found if check.status == "bad"}
    return 4 if "storage" in bad else 1 if bad else 0


def as_text(found: Sequence[Check]) -> str:
    """One line a check, a second one with the remedy where there is one."""
    width = max(len(check.name) for check in found)
    lines = []
    for check in found:
        lines.append(f"{check.status:<7}  {check.name:<{width}}  {check.found}")
        if check.remedy:
            lines.append(f"{'':<7}  {'':<{width}}  -> {check.remedy}")
    return "\n".join(lines) + "\n"


def as_json(found: Sequence[Check]) -> str:
    """The checks as a JSON list of objects."""
    return json.dumps([asdict(check) for check in found], indent=1) + "\n"
