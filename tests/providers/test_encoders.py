"""Encoders: the embedded one as it is installed, and a tiny transformer made on the spot."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from entp.providers import encoders
from entp.providers.encoders import EMBEDDED_ENCODER, open_encoder
from entp.records.errors import EntpError

TEXTS = [
    "How do I bake sourdough bread?",
    "Give me a recipe for a loaf of bread.",
    "Explain the rules of chess to a beginner.",
    "a",
    "\n",
    "🎉🫠",
    "你好",
    "lone \ud800 surrogate",
    "long " * 5000,
]


@pytest.fixture(scope="module")
def embedded():
    return open_encoder(EMBEDDED_ENCODER)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a transformer of one layer with random weights, which knows three words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    path = str(tmp_path_factory.mktemp("transformer"))
    words = {word: position for position, word in enumerate(["[PAD]", "[UNK]", "red", "green", "blue"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=32
    ).save_pretrained(path)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(path)
    return path


def test_vectors_are_unit_rows_in_the_order_of_the_texts(embedded):
    vectors = embedded.encode(TEXTS, batch_size=2)
    assert vectors.shape == (len(TEXTS), embedded.dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for text, vector in zip(TEXTS, vectors, strict=True):
        np.testing.assert_allclose(embedded.encode([text])[0], vector, atol=1e-6)


def test_the_embedded_vectors_are_those_of_sentence_transformers(embedded):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    table = embedded._model
    model = SentenceTransformer(modules=[StaticEmbedding(table._tokenizer, embedding_weights=table._table)])
    readable = [text.replace("\ud800", "?") for text in TEXTS]
    theirs = model.encode(readable, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(embedded.encode(TEXTS), theirs, atol=1e-6)


def test_the_embedded_encoder_knows_what_is_alike(embedded):
    bread, loaf, chess = embedded.encode(TEXTS[:3])
    assert bread @ loaf > 0.5
    assert bread @ loaf > bread @ chess + 0.2


def test_encoding_is_deterministic(embedded):
    first, second = embedded.encode(TEXTS), open_encoder(EMBEDDED_ENCODER).encode(TEXTS)
    assert first.tobytes() == second.tobytes()


def test_the_embedded_vectors_are_means_over_the_texts_own_words(embedded):
    alone, among_long = embedded.encode(["a"]), embedded.encode(["a", "a much longer text " * 40])
    np.testing.assert_array_equal(alone[0], among_long[0])


def test_no_texts_give_no_rows(embedded):
    assert embedded.encode([]).shape == (0, embedded.dimensions)


def test_a_text_without_a_vector_is_named(embedded):
    with pytest.raises(EntpError, match="no vector for text 1, which begins ''"):
        embedded.encode(["red", "", "blue"])


def test_progress_counts_the_texts_done(embedded):
    seen = []
    embedded.encode(TEXTS, batch_size=4, on_progress=seen.append)
    assert seen == [4, 8, 9]


def test_any_model_of_sentence_transformers(folder, capfd, caplog):
    encoder = open_encoder(folder)
    assert (encoder.name, encoder.dimensions) == (folder, 16)
    vectors = encoder.encode(["red green", "blue", "red green"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-6)
    assert vectors[0] @ vectors[1] < 0.999
    assert "".join(capfd.readouterr()) == ""
    assert caplog.text == ""


def test_a_folder_that_holds_no_model(tmp_path, capfd):
    with pytest.raises(EntpError, match="cannot be loaded") as caught:
        open_encoder(str(tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert EMBEDDED_ENCODER in caught.value.remedy
    assert "\n" not in str(caught.value)
    assert "".join(capfd.readouterr()) == ""


def test_a_model_that_cannot_be_downloaded(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(EntpError, match="'some-lab/no-such-encoder' cannot be loaded") as caught:
        open_encoder("some-lab/no-such-encoder")
    assert "network" in caught.value.remedy


def test_the_embedded_encoder_says_how_to_install_it(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(encoders, "distribution", missing)
    with pytest.raises(EntpError, match=r"no package wordllama.*pip install 'entp\[embedded\]'"):
        open_encoder(EMBEDDED_ENCODER)
