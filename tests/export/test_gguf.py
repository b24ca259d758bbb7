"""GGUF files in llama.cpp's own library: the ids of the tokenizer, and the likeliest text of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from convert_tokenizer import ConvertTokenizer
from nanosnake.exports.formats import LLAMA_CPP_NAMES, gguf_problem
from nanosnake.files import NanosnakeError
from nanosnake.tokenizer.folder import TokenizerFolder
from small_models import Small, make
from tiny_tokenizers import evaluation_texts, train

llama_cpp = pytest.importorskip("cyllama.llama.llama_cpp")
gguf = pytest.importorskip("gguf")
F32 = 0
"""llama.cpp's number of the type."""


@pytest.fixture(scope="module", params=["gpt2", "gpt4"])
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Small:
    shape = {"gpt2": "llama", "gpt4": "tied"}[request.param]
    return make(shape, tmp_path_factory.mktemp(request.param), pattern=request.param)


@pytest.fixture(scope="module")
def model(small: Small) -> Any:
    folder = small.export("gguf", small.folder / "gguf", dtype="float32")
    assert [path.name for path in folder.iterdir()] == ["model.gguf"]
    return llama_cpp.LlamaModel(str(folder / "model.gguf"), llama_cpp.LlamaModelParams(), verbose=False)


def all_texts() -> list[str]:
    """Return the hostile texts, each character of the first planes by itself and among others."""
    characters = [chr(code) for code in range(0x30000) if not 0xD800 <= code < 0xE000]
    rows = [f" {c}1{c}\n" for c in characters[:0x3000]]
    texts = list(evaluation_texts().values())
    texts += ["".join(rows[at : at + 512]) for at in range(0, len(rows), 512)]
    return texts + ["".join(characters[at : at + 4096]) for at in range(0, len(characters), 4096)]


def test_ids_are_the_tokenizers(small: Small, model: Any) -> None:
    vocabulary, encoding = model.get_vocab(), small.tokenizer.tiktoken()
    for text in all_texts():
        wanted = encoding.encode(text, allowed_special="all")
        assert list(vocabulary.tokenize(text, False, True)) == wanted
        assert list(vocabulary.tokenize(text, True, True)) == [small.tokenizer.bos_id, *wanted]
    assert vocabulary.n_vocab == small.tokenizer.vocab_size
    assert vocabulary.token_bos() == vocabulary.token_eos() == small.tokenizer.bos_id


def test_greedy_text_is_the_trainers(small: Small, model: Any) -> None:
    vocabulary = model.get_vocab()
    for prompt in ("The", "A longer prompt, of some words", ""):
        parameters = llama_cpp.LlamaContextParams()
        parameters.n_ctx, parameters.type_k, parameters.type_v = 256, F32, F32
        context = llama_cpp.LlamaContext(model, parameters, verbose=False)
        sampler = llama_cpp.LlamaSampler(llama_cpp.LlamaSamplerChainParams())
        sampler.add_greedy()
        ids = list(vocabulary.tokenize(prompt, True, True))
        written: list[int] = []
        context.decode(llama_cpp.llama_batch_get_one(ids, 0))
        while len(written) < 24 and (chosen := sampler.sample(context, -1)) != small.tokenizer.bos_id:
            written.append(chosen)
            context.decode(llama_cpp.llama_batch_get_one([chosen], len(ids) + len(written) - 1))
        for position, found in enumerate(written):
            logits = small.logits([[*ids, *written[:position]]])[0, -1]
            # llama.cpp rounds otherwise, so that of two that are as likely either may come first
            assert float(logits.max() - logits[found]) < 1e-2


def entries(path: Path) -> dict[str, Any]:
    reader = gguf.GGUFReader(path)
    return {name: field.contents() for name, field in reader.fields.items() if name.startswith("tokenizer.")}


def test_a_tokenizer_alone_is_the_same(small: Small, model: Any, tmp_path: Path) -> None:
    ConvertTokenizer(tokenizer=small.tokenizer.folder, format="gguf", output=tmp_path).run()
    of_model = entries(small.folder / "gguf/model.gguf")
    assert entries(tmp_path / "tokenizer.gguf") == of_model
    assert of_model["tokenizer.ggml.add_bos_token"] is True
    assert "<|assistant_start|>" in of_model["tokenizer.chat_template"]


@pytest.mark.parametrize("pattern", ["nanochat", "gpt4o", r"\S+|\s+"])
def test_patterns_that_llama_cpp_does_not_know(pattern: str, tmp_path: Path) -> None:
    tokenizer: TokenizerFolder = train(
        tmp_path, ["one two three two one"] * 3, vocab_size=262, pattern=pattern
    )
    with pytest.raises(NanosnakeError, match="use pattern gpt2 or gpt4, or leave out gguf"):
        ConvertTokenizer(tokenizer=tokenizer.folder, format="gguf", output=tmp_path).run()
    assert not (tmp_path / "tokenizer.gguf").exists()
    assert gguf_problem(pattern)
    assert pattern not in LLAMA_CPP_NAMES


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    ours = make("nanosnake", tmp_path)
    with pytest.raises(NanosnakeError, match=r"llama\.cpp knows llama; train one with architecture llama"):
        ours.export("gguf", tmp_path / "gguf")
