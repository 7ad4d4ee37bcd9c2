"""What tests of trained networks share: they are skipped without the packages, or get a tiny network."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Any

import pytest

from helpers.builtin.template import END, START
from helpers.training import trained

if TYPE_CHECKING:
    from helpers.authoring.source import Lesson

SENTENCES = ["Hello, where is my order 1234?", "你好，订单 1234 在哪里？", "Où est ma commande ?"]
TEMPLATE = (
    "{% for message in messages %}" + START + "{{ message['role'] }}\n{{ message['content'] }}" + END
    + "\n{% endfor %}{% if add_generation_prompt %}" + START + "assistant\n{% endif %}"
)  # fmt: skip


def required(at: str = "") -> None:
    """Skip the test, or the module that is being read, where the packages for training are missing."""
    if names := trained.missing():
        reason = f"{at}needs {', '.join(names)}: python3 -m helpers training"
        # Where everything is to be tested, a test that is skipped would go unnoticed.
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason, allow_module_level=True)


def needs_site() -> None:
    """Skip the test, or the module that is being read, where what makes the site is not installed."""
    if importlib.util.find_spec("furo") is None:
        reason = (
            "needs the packages of helpers/setup/requirements/site.txt: python3 -m helpers site"
        )
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason, allow_module_level=True)


def needed_by(lesson: Lesson) -> None:
    """Skip the test where the packages are missing and this lesson needs them."""
    if lesson.training:
        required(f"lesson {lesson.number} ")


def needed_by_page(notebook: Any) -> None:
    """Skip the test where the packages are missing and this notebook needs them."""
    if notebook.metadata.get("training"):
        required("this notebook ")


def tiny(seed: int = 0, context: int = 256) -> dict[str, Any]:
    """Return a network that has learnt nothing and a tokenizer of three sentences."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = Tokenizer(models.BPE())
    letters.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|pad|>", START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    letters.train_from_iterator(SENTENCES, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=letters,
        pad_token="<|pad|>",
        eos_token=END,
        additional_special_tokens=[START],
        chat_template=TEMPLATE,
        padding_side="left",
    )
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=context,
        initializer_range=0.5,  # so large that what it writes depends on what it reads
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return {"network": LlamaForCausalLM(config), "tokenizer": tokenizer}
