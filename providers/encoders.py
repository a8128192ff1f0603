"""Encoders: texts to unit vectors.

Any model that sentence-transformers can load is an encoder, by name or by folder. The embedded one is a
static table of word vectors that comes inside the `wordllama` package: no download, no transformer, and none
of the seconds that loading sentence-transformers takes.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..records.errors import EntpError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

EMBEDDED_ENCODER = "embedded"

_TABLE = "wordllama/weights/l2_supercat_256.safetensors"
_TOKENIZER = "wordllama/tokenizers/l2_supercat_tokenizer_config.json"
_INSTALL = "run pip install 'entp[embedded]'"
_HUB_TIMEOUT_S = 10
_REASON_LENGTH = 200


class _WordTable:
    """The embedded model: the vector of a text is the mean of its tokens' rows in the table."""

    def __init__(self, tokenizer: Tokenizer, table: NDArray[np.float32]) -> None:
        self._tokenizer = tokenizer
        self._table = table

    def get_embedding_dimension(self) -> int:
        return int(self._table.shape[1])

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Means of shape (N, d); zeros for a text in which no token is found."""
        means = np.zeros((len(texts), self._table.shape[1]), dtype=np.float32)
        for position, found in enumerate(self._tokenizer.encode_batch(texts, add_special_tokens=False)):
            if found.ids:
                means[position] = self._table[found.ids].mean(axis=0)
        return means


class Encoder:
    """One model, as `open_encoder` opened it.

    `name` is what it was opened by; `dimensions` is d, the length of its vectors.
    """

    def __init__(self, name: str, model: SentenceTransformer | _WordTable) -> None:
        dimensions = model.get_embedding_dimension()
        if dimensions is None:
            message = f"encoder {name!r} does not say how long its vectors are"
            raise EntpError(message, "take a model that sentence-transformers knows as an encoder")
        self.name = name
        self.dimensions = dimensions
        self._model = model

    def encode(
        self,
        texts: Sequence[str],
        *,
        batch_size: int = 64,
        on_progress: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Encode `texts` into an array of shape (N, d) whose rows have length one, in the order of `texts`.

        `on_progress` is called after each batch with the number of texts done so far. The same texts give the
        same array on the same machine. Characters that UTF-8 cannot carry (lone surrogates) are read as `?`.

        Raises EntpError where a text has no direction: the encoder finds no token in it, as in an empty text.
        """
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        # texts of like length share a batch, so that little is padded; the longest first, so that memory that
        # does not suffice shows at once
        order = sorted(range(len(texts)), key=lambda position: -len(texts[position]))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            vectors[batch] = self._encode_batch([texts[position] for position in batch], batch)
            if on_progress is not None:
                on_progress(start + len(batch))
        return vectors

    def _encode_batch(self, texts: list[str], positions: list[int]) -> NDArray[np.float32]:
        readable = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        if isinstance(self._model, _WordTable):
            raw = self._model.encode(readable)
        else:
            with _quiet():
                raw = self._model.encode(readable, batch_size=len(readable), show_progress_bar=False)
        vectors = np.asarray(raw, dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        without = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
        if without.size:
            first = int(without[0])
            found = f"text {positions[first]}, which begins {texts[first][:40]!r}"
            message = f"encoder {self.name} has no vector for {found}"
            raise EntpError(message, "leave rows without readable text out of the pool")
        return np.asarray(vectors / lengths, dtype=np.float32)


def open_encoder(name: str) -> Encoder:
    """Open an encoder: `embedded`, the name of a model on the Hugging Face hub, or a model's folder.

    A GPU is used where torch sees one. To a model that was not made for it sentence-transformers gives mean
    pooling. Raises EntpError where there is no such model, or it can be neither downloaded nor found in the
    cache.
    """
    if name == EMBEDDED_ENCODER:
        return Encoder(name, _load_embedded())
    with _quiet():
        try:
            model = _load_named(name)
        except Exception as error:  # loading runs three libraries, which share no error type
            reason = " ".join(str(error).split())[:_REASON_LENGTH] or type(error).__name__
            message = f"encoder {name!r} cannot be loaded: {reason}"
            remedy = f"check the name and the network, or take the encoder {EMBEDDED_ENCODER!r}"
            raise EntpError(message, remedy) from error
        return Encoder(name, model)


def _load_named(name: str) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(name, local_files_only=not (Path(name).is_dir() or _hub_answers(name)))


def _hub_answers(name: str) -> bool:
    """Whether the hub can be reached. The loader would find out too, after more than a minute."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        HfApi().model_info(name, timeout=_HUB_TIMEOUT_S)
    except HfHubHTTPError:
        return True  # it answered; the loader says what is wrong
    except Exception:  # the hub client has changed its HTTP library, and with it these errors, more than once
        return False
    return True


def _load_embedded() -> _WordTable:
    table, tokens = _embedded_file(_TABLE), _embedded_file(_TOKENIZER)
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokens))
    # the file asks for batches of one length, and a padding token would count as a word in the mean
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return _WordTable(tokenizer, load_file(table)["embedding.weight"].astype(np.float32))


def _embedded_file(path: str) -> Path:
    """A file of the `wordllama` package, found without importing the package."""
    try:
        package = distribution("wordllama")
    except PackageNotFoundError as error:
        message = f"encoder {EMBEDDED_ENCODER!r} is not installed (no package wordllama)"
        raise EntpError(message, _INSTALL) from error
    found = Path(str(package.locate_file(path)))
    if not found.is_file():
        message = f"encoder {EMBEDDED_ENCODER!r}: wordllama {package.version} has no file {path}"
        raise EntpError(message, _INSTALL)
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' warnings, log lines and progress bars off the terminal."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )
    from transformers.utils import logging as transformers

    loggers = [
        logging.getLogger(name) for name in ("sentence_transformers", "transformers", "huggingface_hub")
    ]
    levels = [logger.level for logger in loggers]
    hub_bars_were_on = not are_progress_bars_disabled()
    bars_were_on = transformers.is_progress_bar_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        disable_progress_bars()
        transformers.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers has no type for it
        try:
            yield
        finally:
            # transformers switches the bars of the hub's client along with its own
            if bars_were_on:
                transformers.enable_progress_bar()  # type: ignore[no-untyped-call]  # nor for this
            if hub_bars_were_on:
                enable_progress_bars()
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
