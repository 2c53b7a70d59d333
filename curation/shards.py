"""Cuts the kept clips out of their sources: one training sample per row, video bytes included."""

from typing import Literal

from pydantic import Field

from curation.settings import Settings


class ShardsSettings(Settings):
    """How the samples are encoded."""

    crf: int = Field(default=18, ge=0, le=51)
    """Constant rate factor of x264: 18 looks like the source, +6 halves the size."""

    preset: Literal[
        "ultrafast",
        "superfast",
        "veryfast",
        "faster",
        "fast",
        "medium",
        "slow",
        "slower",
        "veryslow",
    ] = "fast"
    """Speed of x264 against size."""

    jpeg_quality: int = Field(default=95, ge=1, le=100)
    """Quality of images."""
