from __future__ import annotations

import types

import entp.selection as selection


def test_all_lists_every_public_name_and_nothing_else() -> None:
    defined = {
        name
        for name, value in vars(selection).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    # `agreement` is a module and a function of one name: the function is what importers get
    assert defined == set(selection.__all__)
    assert callable(selection.agreement)


def test_public_functions_and_classes_are_documented() -> None:
    undocumented = [
        name
        for name in selection.__all__
        if isinstance(getattr(selection, name), (type, types.FunctionType))
        and not getattr(selection, name).__doc__
    ]
    assert undocumented == []
