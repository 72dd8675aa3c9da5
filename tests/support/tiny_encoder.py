"""Pretrained models small enough to be made by a test."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SPECIAL = ("[PAD]", "[CLS]", "[SEP]")


def write_tokenizer(directory: Path, words: Sequence[str]) -> Path:
    """Write a BERT tokenizer with padding and truncation switched on; return its file."""
    from tokenizers import BertWordPieceTokenizer

    directory.mkdir(parents=True, exist_ok=True)
    vocabulary = {word: number for number, word in enumerate((*_SPECIAL, *words))}
    tokenizer = BertWordPieceTokenizer(vocab=vocabulary)
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=16, pad_id=0)
    path = directory / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def write_encoder(directory: Path, words: Sequence[str], *, seed: int = 0, **changes: Any) -> Path:
    """Write a sentence encoder of random weights; return its directory."""
    import torch
    from transformers import BertConfig, BertModel

    write_tokenizer(directory, words)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(words) + len(_SPECIAL),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(directory)
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {
            "idx": 1,
            "name": "1",
            "path": "1_Pooling",
            "type": "sentence_transformers.models.Pooling",
        },
    ]
    contents = {
        "modules.json": modules,
        "sentence_bert_config.json": {"max_seq_length": 32, "do_lower_case": False},
        "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "model_max_length": 32},
        "1_Pooling/config.json": {
            "word_embedding_dimension": 16,
            "pooling_mode_mean_tokens": True,
        },
        **changes,
    }
    for name, content in contents.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(json.dumps(content))
    return directory
