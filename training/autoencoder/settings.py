"""The recipe keys of the autoencoder. Importing this loads no PyTorch."""

from typing import Literal

from pydantic import Field, model_validator

from curation.settings import Settings

Precision = Literal["float32", "bfloat16"]
"""What an autoencoder computes in."""

MIN_JUDGED_PX = 32
"""Below this side there is no patch that the discriminator could judge."""


class TaeArchitecture(Settings):
    """The shape of a temporal autoencoder trained here; sides and time shrink 8 times."""

    latent_channels: int = Field(default=16, ge=1, le=256)
    """Channels of a latent: 16 in the paper."""

    channels: tuple[int, ...] = Field(default=(128, 256, 512, 512), min_length=4, max_length=4)
    """Channels at each of the four scales, full size first."""

    blocks_per_scale: int = Field(default=2, ge=1, le=8)
    """Residual blocks at each scale."""

    attention: bool = True
    """Spatial, then temporal attention at the smallest scale."""


class TaeLosses(Settings):
    """What the autoencoder is taught by; a weight of 0 leaves a term out, its cost included."""

    l1: float = Field(default=1.0, ge=0)
    """Weight of the mean absolute difference of pixels, which are in [-1, 1]."""

    l2: float = Field(default=0.0, ge=0)
    """Weight of the mean squared difference of pixels: PSNR is what it teaches, and blur."""

    perceptual: float = Field(default=0.1, ge=0)
    """Weight of the distance of features of a picture network (`perceptual_weights`)."""

    perceptual_weights: str | None = None
    """A folder with `vgg16.safetensors` and `lpips.safetensors` for LPIPS. Without it features of
    the packaged EfficientNet-Lite0 stand in for LPIPS."""

    kl: float = Field(default=1e-6, ge=0)
    """Weight of the divergence of the latents from a standard normal distribution."""

    perceptual_frames: int = Field(default=4, ge=1)
    """Frames of each crop that are looked at for it, other ones in each step."""

    adversarial: float = Field(default=0.0, ge=0)
    """Weight of what a discriminator says, scaled to the gradient of the reconstruction."""

    adversarial_start: int = Field(default=0, ge=0)
    """Step from which the discriminator has a say."""

    outlier: float = Field(default=0.0, ge=0)
    """Weight of the penalty on latents far from their frame's mean: 1e5 in the paper, and others
    who built it had to take far less."""

    outlier_stds: float = Field(default=3.0, gt=0)
    """Standard deviations that a latent may be away without a penalty."""


class TaeFitSettings(Settings):
    """How the autoencoder is trained."""

    subset: str = "256p"
    """The subset whose shards it is trained on."""

    size_px: int = Field(default=256, ge=16, multiple_of=16)
    """Side of the square crops, px; frames are first scaled so that their short side fits."""

    num_frames: int = Field(default=32, ge=1)
    """Frames of the crops of videos."""

    frame_stride: int = Field(default=1, ge=1)
    """Every how many-th frame is taken."""

    batch_size: int = Field(default=4, ge=1)
    """Videos of a step. A step on images has as many as have the same number of latents."""

    image_every: int = Field(default=4, ge=0)
    """One step in so many is on single frames: 4 is the paper's 3 video batches to 1 image batch.
    0 for none."""

    steps: int = Field(default=100_000, ge=1)
    """Optimizer steps."""

    learning_rate: float = Field(default=1e-4, gt=0)
    """Peak of a warm-up and a cosine."""

    warmup_steps: int = Field(default=500, ge=0)
    """Steps in which the learning rate rises."""

    max_s: float | None = Field(default=None, gt=0)
    """Seconds after which training ends, with the learning rate following the clock, not the
    steps: for demonstrations."""

    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    """Decay of the average of the weights, which is what is saved for use."""

    held_out_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of videos, by the hash of their id, that is only evaluated on; of clips, where there is
    only one video."""

    num_evaluations: int = Field(default=10, ge=1)
    """Times that held-out videos are decoded after the first, which is before step 1; the last is
    at the end."""

    max_held_out: int = Field(default=64, ge=1)
    """Held-out clips that are decoded at most."""

    checkpoint_every_s: float = Field(default=600.0, gt=0)
    """Seconds between checkpoints, to go on from after a crash."""

    losses: TaeLosses = TaeLosses()
    """The terms of the loss."""

    @model_validator(mode="after")
    def _crops_are_large_enough_to_judge(self) -> "TaeFitSettings":
        if self.losses.adversarial and self.size_px < MIN_JUDGED_PX:
            raise ValueError(
                f"losses.adversarial needs size_px of {MIN_JUDGED_PX} or more: the discriminator "
                f"cannot judge {self.size_px} px"
            )
        return self


class TilingSettings(Settings):
    """Coding of long videos in pieces of time, after the paper."""

    frames: int = Field(default=32, ge=8, multiple_of=8)
    """Frames of a piece: 32 in the paper, 4 latent frames. The encoder's pieces do not overlap."""

    decoder_overlap: int = Field(default=16, ge=0, multiple_of=8)
    """Frames that neighbouring pieces of the decoder share, blended linearly."""

    @model_validator(mode="after")
    def _overlaps_less_than_a_piece(self) -> "TilingSettings":
        if self.decoder_overlap >= self.frames:
            raise ValueError("decoder_overlap should be less than frames")
        return self


class AutoencoderSettings(Settings):
    """The autoencoder between pixels and latents."""

    kind: Literal["tae", "diffusers"] = "tae"
    """`tae`: trained here by `moviola train-tae`. `diffusers`: any video autoencoder of diffusers,
    such as those of Wan, CogVideoX and LTX, with its own statistics of latents."""

    folder: str = "tae"
    """Where a `tae` is written by `train-tae` and read from; or the folder of a diffusers model, or
    with `revision` the id of its repository."""

    revision: str | None = None
    """The commit of a diffusers model of a hub."""

    architecture: TaeArchitecture = TaeArchitecture()
    """The shape of a `tae` that is to be trained."""

    fit: TaeFitSettings = TaeFitSettings()
    """How a `tae` is trained."""

    tiling: TilingSettings = TilingSettings()
    """How long videos are coded by a `tae`."""

    @model_validator(mode="after")
    def _has_a_revision_only_where_it_means_something(self) -> "AutoencoderSettings":
        # `architecture` and `fit` may come from a recipe that another extends.
        if self.kind == "tae" and self.revision is not None:
            raise ValueError("an autoencoder of kind tae takes no revision")
        return self
