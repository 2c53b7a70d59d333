"""The packaged language model itself, held to transformers' own way of completing a text."""

import shutil
from pathlib import Path

import pytest

from captioning.grounded.smollm2 import SmolLM2
from captioning.prompt_files import load_prompt
from curation.models.devices import required
from curation.models.smollm2 import FILE, VERSION

BEGINNING = load_prompt("join").text.partition("{{two}}")[0]


@pytest.fixture(scope="module")
def model(model_weights: Path) -> SmolLM2:
    return SmolLM2(model_weights, BEGINNING)


def test_it_knows_what_language_models_know(model_weights: Path) -> None:
    made = SmolLM2(model_weights, "The capital of France is Paris.\nThe capital of ")
    [(line, tokens)] = made(["Italy is"])
    assert line.startswith("Rome")
    assert tokens > 0


def test_a_text_gets_the_same_line_in_any_batch(model: SmolLM2) -> None:
    texts = [
        "Most of the view is grey. There is a touch of teal.\nOne:",
        "Nothing moves. The light is dim.\nOne:",
        "The view is black on the left, and white on the right. There is quick movement.\nOne:",
    ]
    together = model(texts)
    assert together == [model([text])[0] for text in texts]
    assert all("\n" not in line for line, _ in together)


def test_what_is_read_once_for_all_changes_nothing(model: SmolLM2, model_weights: Path) -> None:
    """Against one greedy run of transformers over the whole text."""
    torch, transformers = required("torch"), required("transformers")
    folder = model_weights / f"{Path(FILE).stem}-{VERSION}"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    whole = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True
    )
    text = "Almost everything is brown. There is a touch of green.\nOne:"
    tokens = tokenizer(BEGINNING)["input_ids"] + tokenizer(text)["input_ids"]
    made = whole.generate(torch.tensor([tokens]), max_new_tokens=30, do_sample=False)
    line = tokenizer.decode(made[0, len(tokens) :]).partition("\n")[0].strip()
    assert model([text])[0][0] == line


def test_a_missing_and_a_broken_file_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"{FILE} is missing; `make setup` fetches it"):
        SmolLM2(tmp_path, BEGINNING)
    (tmp_path / FILE).write_bytes(b"GGUF no more")
    with pytest.raises(ValueError, match="is no model in GGUF"):
        SmolLM2(tmp_path, BEGINNING)
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE]


def test_a_folder_that_may_not_be_written_to_is_used_all_the_same(
    tmp_path: Path, model_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(model_weights / FILE, tmp_path / FILE)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    made = __import__("tempfile").mkdtemp

    def refused(prefix: str = "", dir: Path | None = None) -> str:
        if dir == tmp_path:
            raise PermissionError("read-only")
        return str(made(prefix=prefix, dir=dir))

    monkeypatch.setattr("curation.models.smollm2.tempfile.mkdtemp", refused)
    [(line, _)] = SmolLM2(tmp_path, BEGINNING)(["Nothing moves. The light is dim.\nOne:"])
    assert line
    assert [path.name for path in tmp_path.glob("smollm2*")] == [FILE]
