"""Vision-language models with random weights, tiny, of the classes of the real ones."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaNextImageProcessor,
    LlavaNextVideoConfig,
    LlavaNextVideoForConditionalGeneration,
    LlavaNextVideoProcessor,
    LlavaNextVideoVideoProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessor,
    LlavaOnevisionProcessor,
    LlavaOnevisionVideoProcessor,
    MllamaConfig,
    MllamaForConditionalGeneration,
    MllamaImageProcessor,
    MllamaProcessor,
    PerceptionLMConfig,
    PerceptionLMForConditionalGeneration,
    PerceptionLMImageProcessor,
    PerceptionLMProcessor,
    PerceptionLMVideoProcessor,
    PreTrainedTokenizerFast,
    Qwen2Config,
    SiglipVisionConfig,
    TimmWrapperConfig,
)
from transformers.models.mllama.configuration_mllama import MllamaTextConfig, MllamaVisionConfig

from captioning.prompt_files import load_prompt

LLAMA_TOKENS = (
    "<|begin_of_text|>", "<|eot_id|>", "<|finetune_right_pad_id|>", "<|start_header_id|>",
    "<|end_header_id|>", "<|python_tag|>", "<|image|>", "<|video|>",
)  # fmt: skip
VICUNA_TOKENS = ("<s>", "</s>", "<unk>", "<image>", "<video>")

LLAMA_CHAT = """{{- bos_token }}{%- for message in messages %}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}
{%- for part in message['content'] %}
{%- if part['type'] == 'image' %}{{- '<|image|>' }}
{%- elif part['type'] == 'video' and VIDEOS %}{{- '<|video|>' }}
{%- elif part['type'] == 'text' %}{{- part['text'] | trim }}{%- endif %}{%- endfor %}
{{- '<|eot_id|>' }}{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"""
VICUNA_CHAT = """{% for message in messages %}USER: {% for part in message['content'] %}
{%- if part['type'] == 'text' %}{{ part['text'] }}{% else %}<{{ part['type'] }}>\n{% endif %}
{%- endfor %}{% endfor %}{% if add_generation_prompt %} ASSISTANT:{% endif %}"""

TEXT: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2, "max_position_embeddings": 8192, "initializer_range": 0.6,
}  # fmt: skip


def tokenizer(
    special: tuple[str, ...], roles: dict[str, str] | None = None
) -> PreTrainedTokenizerFast:
    """A byte-level BPE of a few hundred tokens that knows the words of our prompt."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([load_prompt("describe").text], trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single=f"{special[0]} $A", special_tokens=[(special[0], 0)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=special[0],
        eos_token=special[1],
        pad_token=special[2],
        extra_special_tokens=roles or list(special[3:]),
    )


def tiny_mllama(folder: Path, **saving: Any) -> None:
    """Llama 3.2 Vision: several images, seen through cross-attention."""
    words = tokenizer(LLAMA_TOKENS)
    torch.manual_seed(0)
    text = MllamaTextConfig(
        **TEXT | {"num_hidden_layers": 3}, cross_attention_layers=[1], vocab_size=len(words),
        bos_token_id=0, eos_token_id=1, pad_token_id=2, tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )  # fmt: skip
    vision = MllamaVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_global_layers=1,
        attention_heads=2, image_size=28, patch_size=14, max_num_tiles=4, vision_output_dim=64,
        intermediate_layers_indices=[0], initializer_range=0.6,
    )  # fmt: skip
    image = words.convert_tokens_to_ids("<|image|>")
    model = MllamaForConditionalGeneration(
        MllamaConfig(vision_config=vision, text_config=text, image_token_index=image)
    )
    # Gates are closed at first, and the picture would make no difference.
    for name, parameter in model.named_parameters():
        if "gate" in name and parameter.numel() == 1:
            torch.nn.init.ones_(parameter)
    images = MllamaImageProcessor(size={"height": 28, "width": 28}, max_image_tiles=4)
    chat = LLAMA_CHAT.replace("VIDEOS", "false")
    _save(folder, model, MllamaProcessor(images, words, chat_template=chat), saving)


def tiny_llava_next_video(folder: Path, **saving: Any) -> None:
    """LLaVA-NeXT-Video: videos and images, by a Vicuna chat, whose tokenizer adds `<s>`."""
    words = tokenizer(VICUNA_TOKENS)
    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        image_size=56, patch_size=14, initializer_range=0.6,
    )  # fmt: skip
    text = LlamaConfig(
        **TEXT, vocab_size=len(words), bos_token_id=0, eos_token_id=1, pad_token_id=2
    )
    grid = [[56, 112], [112, 56], [112, 112]]
    config = LlavaNextVideoConfig(
        vision_config=vision, text_config=text, image_grid_pinpoints=grid,
        image_token_index=words.convert_tokens_to_ids("<image>"),
        video_token_index=words.convert_tokens_to_ids("<video>"),
        image_seq_length=16, video_seq_length=4,
    )  # fmt: skip
    size = {"shortest_edge": 56}
    crop = {"height": 56, "width": 56}
    processor = LlavaNextVideoProcessor(
        video_processor=LlavaNextVideoVideoProcessor(size=size, crop_size=crop),
        image_processor=LlavaNextImageProcessor(
            size=size, crop_size=crop, image_grid_pinpoints=grid
        ),
        tokenizer=words,
        chat_template=VICUNA_CHAT,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    _save(folder, LlavaNextVideoForConditionalGeneration(config), processor, saving)


def tiny_perception_lm(folder: Path, **saving: Any) -> None:
    """Perception LM: videos and images, a Perception Encoder of timm and a Llama."""
    words = tokenizer(LLAMA_TOKENS, {"image_token": "<|image|>", "video_token": "<|video|>"})
    torch.manual_seed(0)
    vision = TimmWrapperConfig(
        architecture="vit_pe_core_large_patch14_336",
        model_args={
            "embed_dim": 32, "depth": 2, "num_heads": 2, "img_size": (56, 56), "global_pool": "",
            "use_post_transformer_norm": False, "init_values": 0.1, "ref_feat_shape": (4, 4),
        },
        initializer_range=0.6,
    )  # fmt: skip
    vision.num_features = 32
    text = LlamaConfig(
        **TEXT, vocab_size=len(words), bos_token_id=0, eos_token_id=1, pad_token_id=2
    )
    config = PerceptionLMConfig(
        vision_config=vision, text_config=text, vision_use_cls_token=True,
        projector_pooling_ratio=2,
        image_token_id=words.convert_tokens_to_ids("<|image|>"),
        video_token_id=words.convert_tokens_to_ids("<|video|>"),
    )  # fmt: skip
    processor = PerceptionLMProcessor(
        video_processor=PerceptionLMVideoProcessor(size={"height": 56, "width": 56}),
        image_processor=PerceptionLMImageProcessor(tile_size=56, max_num_tiles=4),
        tokenizer=words,
        chat_template=LLAMA_CHAT.replace("VIDEOS", "true"),
        patch_size=14,
        pooling_ratio=2,
    )
    _save(folder, PerceptionLMForConditionalGeneration(config), processor, saving)


def tiny_llava_onevision(folder: Path, **saving: Any) -> None:
    """LLaVA-OneVision: videos and images, a SigLIP and a Qwen2."""
    words = tokenizer(LLAMA_TOKENS)
    torch.manual_seed(0)
    vision = SiglipVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        image_size=56, patch_size=14,
    )  # fmt: skip
    text = Qwen2Config(
        **TEXT, vocab_size=len(words), bos_token_id=0, eos_token_id=1, pad_token_id=2
    )
    grid = [[56, 112], [112, 56], [112, 112]]
    config = LlavaOnevisionConfig(
        vision_config=vision, text_config=text, image_grid_pinpoints=grid,
        image_token_index=words.convert_tokens_to_ids("<|image|>"),
        video_token_index=words.convert_tokens_to_ids("<|video|>"),
    )  # fmt: skip
    size = {"height": 56, "width": 56}
    processor = LlavaOnevisionProcessor(
        image_processor=LlavaOnevisionImageProcessor(size=size, image_grid_pinpoints=grid),
        tokenizer=words,
        video_processor=LlavaOnevisionVideoProcessor(size=size),
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=LLAMA_CHAT.replace("VIDEOS", "true"),
        image_token="<|image|>",  # noqa: S106 - no password
        video_token="<|video|>",  # noqa: S106
    )
    _save(folder, LlavaOnevisionForConditionalGeneration(config), processor, saving)


def _save(folder: Path, model: Any, processor: Any, saving: dict[str, Any]) -> None:
    model.generation_config.eos_token_id = 1
    model.eval().save_pretrained(folder, **saving)
    processor.save_pretrained(folder)
