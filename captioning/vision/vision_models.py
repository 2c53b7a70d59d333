"""Vision-language models of transformers: their files, and loading them whole."""

from pathlib import Path
from typing import Any

from curation.models.devices import Precision, required

FILES = ("config.json",)
WEIGHTS = "model.safetensors"
OPTIONAL = (
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
    "merges.txt",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "video_preprocessor_config.json",
    "vocab.json",
)
"""Of these, each family has its own few."""


def loaded(folder: Path, dtype: Precision) -> tuple[Any, Any]:
    """The processor and the network, with every weight from the files.

    Raises:
        ValueError: transformers cannot load one of them, or weights are missing.
    """
    torch, transformers = required("torch"), required("transformers")
    broken = (OSError, RuntimeError, LookupError, ValueError, TypeError, ImportError)
    here = {"local_files_only": True, "trust_remote_code": False}
    try:
        processor = transformers.AutoProcessor.from_pretrained(folder, **here)
        network, found = transformers.AutoModelForImageTextToText.from_pretrained(
            folder,
            use_safetensors=True,
            dtype=getattr(torch, dtype),
            output_loading_info=True,
            **here,
        )
    except (*broken, required("safetensors").SafetensorError) as error:
        raise ValueError(f"transformers cannot load {folder}: {error}") from error
    if getattr(processor, "tokenizer", None) is None:
        raise ValueError(f"{folder} has the files of a {type(processor).__name__}, of no processor")
    # Without this they would be random, and transformers only warns.
    if lacking := sorted(found["missing_keys"]):
        raise ValueError(
            f"{folder} lacks {len(lacking)} weights of its model, such as {lacking[0]}"
        )
    tokenizer, ends = processor.tokenizer, network.generation_config.eos_token_id
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    # Nothing else of the authors' choices: a penalty on repetition would count what pads a batch.
    network.generation_config = transformers.GenerationConfig(
        eos_token_id=tokenizer.eos_token_id if ends is None else ends,
        pad_token_id=tokenizer.pad_token_id,
    )
    return processor, network
