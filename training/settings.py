"""The recipe keys of training. Importing this loads no PyTorch."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from curation.models.devices import Device
from curation.settings import Settings
from training.autoencoder.settings import AutoencoderSettings, Precision
from training.text.settings import TextEncoderSettings

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""Small letters, digits, `-` and `_`: it names a folder or a column."""


class LatentsSettings(Settings):
    """How the shards of one subset become `latents/<subset>`."""

    base_px: int | None = Field(default=None, ge=16, multiple_of=16)
    """Side of the square bucket that samples are scaled down to, the others having nearly its area;
    null leaves them as large as they are."""

    frame_stride: int = Field(default=1, ge=1)
    """Every how many-th frame is taken; the prompt's `FPS-N` says the rate that is left."""

    max_frames: int | None = Field(default=None, ge=1)
    """Frames at most, from the middle of a sample; null takes all."""


class EncodingSettings(Settings):
    """How `moviola encode` works; none of it but `precision` changes what it stores."""

    runner: Literal["ray", "inline"] = "ray"
    """`ray`: on this machine, or on the cluster that `RAY_ADDRESS` names. `inline`: in this very
    process, for debugging."""

    num_cpus: float = Field(default=1.0, gt=0)
    """CPU cores that Ray reserves per worker; a worker computes on one."""

    num_gpus: float = Field(default=0.0, ge=0)
    """GPUs that Ray reserves per worker, 0.5 lets two share one; 0 encodes on the CPU."""

    concurrency: int | None = Field(default=None, ge=1)
    """Workers at most; null takes as many as the machine or cluster has room for."""

    batch_size: int = Field(default=8, ge=1)
    """Samples that a worker takes at a time; they are encoded one by one, and a kill costs them."""

    precision: Precision = "float32"
    """What the autoencoder computes in."""

    max_failed_share: float = Field(default=0.05, ge=0, le=1)
    """Share of the samples of a subset that may fail; above it the command ends with code 3."""


class TransformerSettings(Settings):
    """The shape of the transformer."""

    size: Literal["tiny", "1b", "5b", "30b"] = "tiny"
    """Layers, width, width of the feed-forward network and heads, unless given below: `tiny` 4,
    192, 512, 3; `1b` 24, 1536, 4096, 16; `5b` 32, 3072, 8192, 24; `30b` 48, 6144, 16384, 48."""

    num_layers: int | None = Field(default=None, ge=1)
    """Instead of the size's."""

    dim: int | None = Field(default=None, ge=8)
    """Instead of the size's."""

    ffn_dim: int | None = Field(default=None, ge=8)
    """Instead of the size's."""

    num_heads: int | None = Field(default=None, ge=1)
    """Instead of the size's."""


class PositionSettings(Settings):
    """Size of the tables of positions, in patches of 1x2x2 latents (8x16x16 px)."""

    frames: int = Field(default=32, ge=1)
    """Latent frames: 32 are 256 frames."""

    height: int = Field(default=32, ge=1)
    """Rows: 32 are 512 px."""

    width: int = Field(default=32, ge=1)
    """Columns: 32 are 512 px."""

    growth: Literal["extend", "stretch"] = "extend"
    """What the rows and columns of the stage before become in a larger table. `extend`: they stay
    where they are, for wider shapes at the same scale. `stretch`: they are spread over the new
    table, for the same shapes at a larger scale. Frames always extend."""


class TimeSettings(Settings):
    """How times are drawn; 0 is noise, 1 is data."""

    distribution: Literal["logit-normal", "uniform"] = "logit-normal"
    """The paper's is `logit-normal`."""

    mean: float = 0.0
    """Mean of the logit."""

    std: float = Field(default=1.0, gt=0)
    """Standard deviation of the logit."""

    shift: float = Field(default=1.0, gt=0)
    """Above 1 draws noisier times, as larger videos need: sigma -> shift sigma / (1 + (shift - 1)
    sigma) of sigma = 1 - t. 1 leaves them."""


class OptimizerSettings(Settings):
    """AdamW and its learning rate."""

    learning_rate: float = Field(default=1e-4, gt=0)
    """Peak."""

    schedule: Literal["constant", "cosine", "plateau"] = "constant"
    """After the warm-up. `cosine` falls to `final_share` at the end; `plateau` multiplies by
    `plateau_factor` where the validation loss has not fallen for `plateau_patience` evaluations."""

    warmup_steps: int = Field(default=1000, ge=0)
    """Steps in which the learning rate rises from 0."""

    final_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the learning rate that a cosine ends at."""

    plateau_factor: float = Field(default=0.5, gt=0, lt=1)
    """Cut at a plateau."""

    plateau_patience: int = Field(default=3, ge=1)
    """Evaluations without a better loss that make a plateau."""

    betas: tuple[float, float] = (0.9, 0.95)
    """Decay of the two moments."""

    eps: float = Field(default=1e-8, gt=0)
    """Added to the root of the second moment."""

    weight_decay: float = Field(default=0.1, ge=0)
    """On matrices only, not on norms, biases, positions and null embeddings."""

    clip_norm: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""


class DataSettings(Settings):
    """What a stage is trained on."""

    subset: Name
    """The subset: its `latents/<subset>` or `shards/<subset>`."""

    source: Literal["latents", "shards"] = "latents"
    """`latents`: what `moviola encode` stored. `shards`: pixels, encoded at every step."""

    image_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the steps that is on images: samples of one frame, and where the subset has none,
    the middle frame of its clips. 1 is text-to-image; the paper's joint stages have about 1/11."""

    tokens_per_step: int = Field(default=4096, ge=1)
    """Patches of a step, whatever its bucket: the batch size of a bucket is this by its patches per
    sample, and 1 at least."""

    tokens_per_micro_batch: int | None = Field(default=None, ge=1)
    """Patches that go through the model at once; gradients add up to the step. Null for all."""

    text_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of samples that see no prompt, so that guidance has something to guide from."""

    max_unreadable_share: float = Field(default=0.01, ge=0, le=1)
    """Share of the samples read so far that may be unreadable, besides three in each epoch; 0
    allows none. They are skipped, counted and named. Above it training ends, and always after an
    epoch of which no clip (without clips: no image) can be read."""

    held_out_share: float = Field(default=0.05, ge=0, lt=1)
    """Share of videos, by the hash of their id, that is only evaluated on; of clips, where there is
    only one video."""


class StageSettings(Settings):
    """One stage of training, which goes on from what the stage before has learnt."""

    steps: int = Field(ge=1)
    """Optimizer steps."""

    data: DataSettings
    """What it is trained on."""

    optimizer: OptimizerSettings = OptimizerSettings()
    """AdamW and its learning rate."""

    times: TimeSettings = TimeSettings()
    """How times are drawn."""

    positions: PositionSettings = PositionSettings()
    """Size of the tables of positions."""

    carry_optimizer: bool = False
    """Take over the moments of the stage before; the moments of tables that grow start anew."""

    start_from: Literal["ema", "weights"] = "ema"
    """Which weights of the stage before it starts from: their average, or the last."""

    ema_decay: float = Field(default=0.9999, ge=0, lt=1)
    """Decay of the average of the weights, once warm: min(decay, (1 + step) / (10 + step))."""

    average_last: int = Field(default=1, ge=1)
    """Its result is the mean of so many of its last checkpoints, for fine-tuning; 1 is the last."""


class EvaluationSettings(Settings):
    """The loss on held-out samples, with noise of their own."""

    every_steps: int = Field(default=1000, ge=1)
    """Steps between evaluations; there is one at the end of a stage too."""

    max_samples: int = Field(default=256, ge=1)
    """Samples at most, the first by the hash of their id."""

    num_times: int = Field(default=8, ge=1)
    """Equidistant times from 0 on, below 1, at which each is evaluated: 8 is the form of MLPerf."""

    batch_size: int = Field(default=8, ge=1)
    """Samples that go through the model at once."""


class SamplesSettings(Settings):
    """Videos that are generated during training, to look at."""

    prompts: tuple[str, ...] = ()
    """Prompts as the captions of training are written; none generates nothing."""

    every_steps: int = Field(default=5000, ge=1)
    """Steps between them; they come at the end of a stage too."""

    seed: int = 0
    """Of the noise, which is the same each time."""


class RewriterSettings(Settings):
    """The language model that expands short requests to the style of training captions."""

    path: str | None = None
    """The folder of a model of transformers that continues texts, or with `revision` the id of its
    repository; null takes the packaged SmolLM2, which is small and often leaves a request alone."""

    revision: str | None = None
    """The commit of a repository of a hub."""

    @model_validator(mode="after")
    def _is_of_a_path(self) -> "RewriterSettings":
        if self.revision is not None and self.path is None:
            raise ValueError("rewriter.revision is that of a path, and there is none")
        return self


class GenerationSettings(Settings):
    """How videos are generated, unless the command says otherwise."""

    steps: int = Field(default=50, ge=1)
    """Steps of the solver."""

    schedule: Literal["uniform", "linear-quadratic", "shifted"] = "linear-quadratic"
    """Where they lie."""

    shift: float = Field(default=3.0, gt=0)
    """Of a `shifted` schedule."""

    solver: Literal["euler", "midpoint", "heun"] = "euler"
    """`midpoint` and `heun` ask the model twice a step."""

    guidance: float = Field(default=7.5, ge=0)
    """Scale of classifier-free guidance; 1 is without."""

    rewriter: RewriterSettings | None = None
    """Who expands requests; null leaves them. Prompts of `samples` are complete as they are."""


class CheckpointSettings(Settings):
    """What is kept of a run, to go on from and to use."""

    every_steps: int = Field(default=1000, ge=1)
    """Steps between checkpoints; there is one at the end of a stage and when stopped too."""

    keep: int = Field(default=3, ge=1)
    """Checkpoints of a stage that are kept, and the newest if it lies between."""


class MachineSettings(Settings):
    """Where and how it is computed; none of it changes what is computed, but for rounding."""

    device: Device = "cpu"
    """`cpu` or `cuda`."""

    precision: Precision = "float32"
    """What blocks compute in; weights, their average, the loss and times stay in float32."""

    cpu_threads: int | None = Field(default=None, ge=1)
    """Threads that PyTorch computes with on the CPU; null for one per core. On a machine that does
    other work too, 1 is often the fastest: more wait for each other."""

    compile: bool = False
    """Compile each block."""

    activation_checkpointing: bool = False
    """Keep the inputs of blocks only, and compute the rest again in the backward pass."""

    prefetch: int = Field(default=4, ge=0)
    """Batches that are read ahead; 0 reads when asked."""

    log_every_steps: int = Field(default=10, ge=1)
    """Steps between lines of metrics."""


class TrainingRecipe(Settings):
    """Every setting of training a model."""

    seed: int = Field(default=0, ge=0)
    """Of weights, order, noise, times and dropout."""

    autoencoder: AutoencoderSettings = AutoencoderSettings()
    """The autoencoder between pixels and latents."""

    text: dict[Name, TextEncoderSettings] = Field(min_length=1)
    """The text encoders by names of your choice; what they say is concatenated in this order."""

    latents: dict[Name, LatentsSettings] = {}
    """How subsets are encoded, by their names; one that is not named is encoded as it is."""

    encoding: EncodingSettings = EncodingSettings()
    """How `moviola encode` works."""

    transformer: TransformerSettings = TransformerSettings()
    """The shape of the transformer."""

    stages: dict[Name, StageSettings] = Field(min_length=1)
    """The stages of training in their order."""

    evaluation: EvaluationSettings = EvaluationSettings()
    """The loss on held-out samples."""

    samples: SamplesSettings = SamplesSettings()
    """Videos that are generated during training."""

    generation: GenerationSettings = GenerationSettings()
    """How videos are generated."""

    checkpoints: CheckpointSettings = CheckpointSettings()
    """What is kept of a run."""

    machine: MachineSettings = MachineSettings()
    """Where and how it is computed."""

    @model_validator(mode="after")
    def _fits_together(self) -> "TrainingRecipe":
        if all(encoder.of == "quoted" for encoder in self.text.values()):
            raise ValueError("text: one encoder at least should read the whole prompt")
        sizes = [stage.positions for stage in self.stages.values()]
        for name, before, after in zip([*self.stages][1:], sizes, sizes[1:], strict=False):
            for side in ("frames", "height", "width"):
                if getattr(after, side) < getattr(before, side):
                    key = f"stages.{name}.positions.{side}"
                    raise ValueError(f"{key} is below that of the stage before")
        self._check_first_stage()
        for name, stage in self.stages.items():
            if stage.average_last > self.checkpoints.keep:
                raise ValueError(f"stages.{name}.average_last is above checkpoints.keep")
        return self

    def _check_first_stage(self) -> None:
        """Refuses what would do nothing, as there is no stage before."""
        name, stage = next(iter(self.stages.items()))
        does_nothing = {
            "carry_optimizer": stage.carry_optimizer,
            "start_from": stage.start_from != "ema",
            "positions.growth": stage.positions.growth != "extend",
        }
        for key, is_set in does_nothing.items():
            if is_set:
                raise ValueError(f"stages.{name}.{key} needs a stage before, and it is the first")
