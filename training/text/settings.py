"""The recipe keys of the text encoders. Importing this loads no PyTorch."""

from typing import Literal

from pydantic import Field, model_validator

from curation.models.devices import Precision
from curation.settings import Settings

HUB_KINDS = ("t5", "clip", "open_clip")


class TextEncoderSettings(Settings):
    """One text encoder. The transformer has a projection and a norm of its own for each."""

    kind: Literal["minilm", "smollm2", "bytes", "t5", "clip", "open_clip"]
    """`minilm`, `smollm2`: packaged models, their hidden states per token. `bytes`: the prompt's
    UTF-8, with an encoder that is trained with the transformer. `t5`: UL2, ByT5 and other T5
    encoders of transformers. `clip`, `open_clip`: the text tower of a CLIP, per token."""

    of: Literal["prompt", "quoted"] = "prompt"
    """What it reads: the whole prompt, or only what stands in double quotes, as text to draw."""

    max_tokens: int | None = Field(default=None, ge=4, le=4096)
    """What is longer is cut, tokens that begin and end a text included. `null`: 256, or as many as
    the model has positions for where those are fewer, as are the 77 of most CLIPs."""

    path: str | None = None
    """The folder of a `t5`, `clip` or `open_clip`, or with `revision` the id of its repository."""

    revision: str | None = None
    """The commit of a repository of a hub."""

    precision: Precision = "float32"
    """What a `t5`, `clip` or `open_clip` computes in."""

    dim: int = Field(default=256, ge=8)
    """Width of a `bytes` encoder; the others have their own."""

    num_layers: int = Field(default=2, ge=0, le=24)
    """Layers of a `bytes` encoder."""

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "TextEncoderSettings":
        if (self.kind in HUB_KINDS) != (self.path is not None):
            need = "needs" if self.kind in HUB_KINDS else "takes no"
            raise ValueError(f"a text encoder of kind {self.kind} {need} path")
        others = (("dim", "num_layers") if self.kind != "bytes" else ()) + (
            ("precision", "revision") if self.kind not in HUB_KINDS else ()
        )
        for key in others:
            if getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"a text encoder of kind {self.kind} takes no {key}")
        return self
