"""SmolLM2 135M Instruct, a small language model of the Llama family that a package carries.

It comes quantised, as GGUF. transformers needs a quarter of a minute to read that, so what it has
read is kept beside the file, in half precision.
"""

import logging
import shutil
import struct
import tempfile
from pathlib import Path
from typing import Any

from curation.models.devices import required
from curation.models.model import weights_file

FILE = "smollm2-135m-instruct-q4_1.gguf"

VERSION = "b179c9523d0e-1"
"""Starts of the file's SHA-256, and a number for the code."""

SIZE = 576

logger = logging.getLogger(__name__)


def loaded(weights: Path) -> tuple[Any, Any]:
    """Tokenizer and model in float32, from what an earlier process kept if there is such.

    Args:
        weights: the folder of the model files.

    Raises:
        ValueError: the file is missing or damaged, or a package is missing.
    """
    transformers = required("transformers")
    path = weights_file(weights, FILE)
    kept = weights / f"{path.stem}-{VERSION}"
    if not (kept / "config.json").is_file():
        kept = _kept(path, kept)
    here = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(kept, **here)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            kept, dtype=required("torch").float32, use_safetensors=True, **here
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(f"transformers cannot load {kept}: {error}") from error
    return tokenizer, model.eval()


def _kept(path: Path, folder: Path) -> Path:
    """Reads the GGUF and writes what is in it as safetensors; where may differ if it must."""
    transformers, torch = required("transformers"), required("torch")
    for package in ("gguf", "accelerate"):
        required(package)
    place = {"gguf_file": path.name, "local_files_only": True}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, **place)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            path.parent, dtype=torch.float16, **place
        )
    except (OSError, ValueError, RuntimeError, LookupError, struct.error) as error:
        raise ValueError(f"{path} is no model in GGUF: {error}") from error
    # It would refuse to save what it takes for quantised still.
    model.hf_quantizer, model.is_quantized = None, False
    del model.config.quantization_config
    try:
        made = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{folder.name}-"))
    except OSError:
        logger.debug("what SmolLM2 holds is not kept in %s", path.parent)
        made = Path(tempfile.mkdtemp(prefix="moviola-smollm2-"))
        folder = made
    model.save_pretrained(made)
    tokenizer.save_pretrained(made)
    if made == folder:
        return made
    made.chmod(0o755)  # who shares the folder may read it
    try:
        made.rename(folder)
    except OSError:  # another worker was faster
        shutil.rmtree(made)
    return folder
