"""The shapes of training: all samples of a step have the same, so that nothing is padded."""

from dataclasses import dataclass

from training.positions import SIDES
from training.settings import PositionSettings
from training.transformer import PATCH


@dataclass(frozen=True, order=True)
class Bucket:
    """Samples of one shape, in latents."""

    frames: int
    height: int
    width: int

    @property
    def name(self) -> str:
        """`<frames>x<height>x<width>`, such as `16x24x42`."""
        return f"{self.frames}x{self.height}x{self.width}"

    @property
    def patches(self) -> tuple[int, int, int]:
        """Frames, rows and columns of patches; what a patch lacks at an edge is filled up."""
        return self.frames, -(-self.height // PATCH), -(-self.width // PATCH)

    @property
    def tokens(self) -> int:
        """Patches of a sample."""
        frames, rows, columns = self.patches
        return frames * rows * columns


def batch_size(bucket: Bucket, tokens_per_step: int) -> int:
    """Samples of a step: as many as the tokens allow, and 1 at least."""
    return max(1, tokens_per_step // bucket.tokens)


def check_positions(bucket: Bucket, positions: PositionSettings, subset: str) -> None:
    """Checks that the tables of positions reach over the bucket.

    Raises:
        ValueError: one does not; it names the bucket, the table and the key.
    """
    for name, need in zip(SIDES, bucket.patches, strict=True):
        if need > (size := getattr(positions, name)):
            raise ValueError(
                f"subset {subset} has samples of bucket {bucket.name} (latent frames, height and "
                f"width), which need {need} positions of {name}, and the table of {name} has "
                f"{size}: set positions.{name} of the stage to {need} or more, or take fewer "
                f"pixels or frames of the subset (latents.{subset}) and encode them again"
            )
