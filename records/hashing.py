"""One text and one hash for a JSON value: what every id, mark and key of a call is made with."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """One text for one JSON value: keys sorted, no spaces, so that it can be hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def tagged_hash(tag: str, value: Any) -> str:
    """SHA-256 (hex) of a JSON value under a tag, so that equal values of two kinds never collide."""
    text = f"{tag}\0{canonical_json(value)}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
