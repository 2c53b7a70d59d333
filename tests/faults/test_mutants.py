"""Files with a few bytes changed, cut out or put in: whatever they say, the probe answers."""

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from curation.media.sandbox import Limits, Sandbox
from tests import media

SEED = 20261122
NUM_MUTANTS = 30
NASTY = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80\0\0\0")


def mutants(content: bytes, choice: random.Random) -> Iterator[bytes]:
    """Copies of a file, most of the damage near its start and end, where headers are."""
    for _ in range(NUM_MUTANTS):
        mutant = bytearray(content)
        for _ in range(choice.choice((1, 3, 10, 40))):
            if len(mutant) < 32:
                break
            at = choice.randrange(min(choice.choice((200, 2000, len(mutant))), len(mutant)))
            if choice.random() < 0.3:
                at = len(mutant) - 1 - at
            deed = choice.randrange(4)
            if deed == 0:
                mutant[at] = choice.randrange(256)
            elif deed == 1:
                mutant[at : at + 4] = choice.choice(NASTY)
            elif deed == 2:
                del mutant[at : at + choice.randrange(1, 32)]
            else:
                mutant[at:at] = choice.randbytes(choice.randrange(1, 16))
        yield bytes(mutant)


@pytest.mark.parametrize(
    "original", [media.plain, media.two_videos, media.interlaced, media.image, media.one_pixel]
)
def test_no_mutant_crashes_or_stalls_the_probe(original, tmp_path):
    choice = random.Random(SEED)
    path = tmp_path / "mutant"
    reasons: Counter[str | None] = Counter()
    with Sandbox(Limits(wall_s=20.0, memory_bytes=1 << 30)) as sandbox:
        for number, mutant in enumerate(mutants(original().read_bytes(), choice)):
            path.write_bytes(mutant)
            outcome = sandbox.run(
                "curation.media.probe:probe",
                path=str(path),
                max_frame_pixels=1 << 26,
                max_duration_s=86400.0,
                max_frames=10**7,
            )
            reasons[outcome.reason] += 1
            assert outcome.reason not in ("bug", "crash", "timeout"), (number, outcome.error)
    assert reasons.total() == NUM_MUTANTS
    assert len(reasons) > 1, "the damage never did anything"
