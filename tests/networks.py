"""Tiny networks with random weights, in the formats in which the real ones come."""

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

CLIP = {
    "embed_dim": 32,
    "quick_gelu": True,
    "vision_cfg": {
        "image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8
    },
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}  # fmt: skip
PIXELS = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "interpolation": "bilinear"}
"""Neither open_clip's nor our defaults, so that a test sees whether they are read."""

CLASSES = {0: "drawings", 1: "safe", 2: "worse", 3: "bad"}


def tiny_clip(folder: Path, seed: int = 0, **changes: Any) -> open_clip.CLIP:
    """Writes a CLIP in the format of open_clip's repositories, and returns it."""
    torch.manual_seed(seed)
    model = open_clip.CLIP(**CLIP).eval()
    # As they are initialised, all pictures look nearly the same to it.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    config = {"model_cfg": CLIP, "preprocess_cfg": PIXELS} | changes
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return model


def tiny_classifier(folder: Path, **changes: Any) -> ViTForImageClassification:
    """Writes an image classifier of transformers, and returns it."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        image_size=32, patch_size=8, id2label=CLASSES, initializer_range=0.5, **changes,
    )  # fmt: skip
    model = ViTForImageClassification(config).eval()
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return model
