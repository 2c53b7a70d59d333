"""Short requests expanded to prompts in the style of the training captions, by a language model."""

from collections.abc import Callable
from pathlib import Path

from captioning.grounded.smollm2 import SmolLM2
from captioning.inference import training_prompt
from captioning.prompt_files import load_prompt
from curation.models.devices import required
from curation.models.hub import ModelFiles
from training.settings import RewriterSettings
from training.text.hub import TOKENIZER

MOST_NEW_TOKENS = 200
SLOT = "{{request}}"


def prompts_of(
    requests: list[str], settings: RewriterSettings | None, weights: Path, fps: float | None
) -> list[str]:
    """The requests as prompts in the form of training: `FPS-N`, camera, description.

    Args:
        requests: what people want to see.
        settings: who expands them; None leaves their words as they are.
        weights: the folder of the packaged models' files.
        fps: frames per second of the video; None for an image.

    Raises:
        ValueError: a request holds no word, or the model cannot be had.
    """
    complete = None if settings is None else _completer(settings, weights)
    token = None if fps is None else f"FPS-{round(fps)}"
    return [training_prompt(one, complete, fps_token=token).prompt for one in requests]


def _completer(settings: RewriterSettings, weights: Path) -> Callable[[str], str]:
    if settings.path is not None:
        return _from_files(rewriter_files(settings))
    beginning = load_prompt("expand").text.partition(SLOT)[0]
    model = SmolLM2(weights, beginning)
    return lambda filled: model([filled.removeprefix(beginning)])[0][0]


def rewriter_files(settings: RewriterSettings) -> ModelFiles:
    """The files of a rewriter that no package brings."""
    assert settings.path is not None
    return ModelFiles(
        settings.path,
        settings.revision,
        ("config.json",),
        optional=TOKENIZER,
        weights="model.safetensors",
    )


def _from_files(files: ModelFiles) -> Callable[[str], str]:
    """A model of transformers that continues texts, of the Llama family or another."""
    torch, transformers = required("torch"), required("transformers")
    folder = files.folder()
    here = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **here)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, use_safetensors=True, **here
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(f"transformers cannot load a rewriter from {folder}: {error}") from error
    model.eval()

    def complete(filled: str) -> str:
        tokens = tokenizer(filled, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            made = model.generate(
                tokens,
                max_new_tokens=MOST_NEW_TOKENS,
                do_sample=False,
                pad_token_id=tokenizer.eos_token_id,
            )
        text: str = tokenizer.decode(made[0, tokens.shape[1] :], skip_special_tokens=True)
        return text.strip().partition("\n")[0]

    return complete
