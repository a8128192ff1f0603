"""What a stage spent on its calls."""

from __future__ import annotations

from collections.abc import Iterator

from ...records.lines import Line
from ...records.stored import Stored


class Spent(Stored):
    """Calls made now and those answered from the ledger; tokens are of the calls made."""

    calls: int = 0
    answered: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def lines(self) -> Iterator[Line]:
        """One line, where anything was asked."""
        if self.calls or self.answered:
            tokens = f"{self.prompt_tokens} prompt and {self.completion_tokens} completion tokens"
            yield f"{self.calls} calls made ({tokens}), {self.answered} answered from the ledger"
