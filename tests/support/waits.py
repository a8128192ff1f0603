"""Retries without waiting."""

from __future__ import annotations

import entp.providers.chat as chat


class Waits(list):
    """What a provider would have waited between its tries; `retries`, where it is set, bounds them."""

    retries = None

    def __init__(self, monkeypatch):
        super().__init__()
        original = chat.OpenAIChat

        def made(*args, **settings):
            patience = {} if self.retries is None else {"retries": self.retries}
            return original(*args, **settings, **patience, sleep=self._note)

        monkeypatch.setattr(chat, "OpenAIChat", made)

    async def _note(self, seconds):
        self.append(seconds)
