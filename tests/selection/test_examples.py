"""The examples in selection's docstrings are what comes out."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import numpy as np

import entp.selection


def test_examples_are_what_comes_out() -> None:
    modules = [found.name for found in pkgutil.walk_packages(entp.selection.__path__, "entp.selection.")]
    found = [doctest.testmod(importlib.import_module(name), extraglobs={"np": np}) for name in modules]
    assert sum(module.failed for module in found) == 0
    assert sum(module.attempted > 0 for module in found) >= 5
