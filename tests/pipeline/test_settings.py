"""Settings by kind: what shapes results, how to ask, where things are; any can be unset."""

from __future__ import annotations

import pytest

from entp.pipeline.run.settings import RENAMED, Asking, Places, settings_of
from entp.pipeline.run.stage import state_of
from entp.pipeline.stages.blend import BlendSettings
from entp.pipeline.stages.fuse import FuseSettings
from entp.pipeline.stages.order import STAGES, look_at_run, open_run
from entp.pipeline.stages.rate import RateSettings
from entp.records.errors import UsageError

PARTS = tuple(stage.settings for stage in STAGES)


def states(folder):
    with look_at_run(folder) as run:
        return {state_of(run, stage) for stage in run.stages}


def test_how_a_model_is_asked_and_where_things_are_shape_no_result(finished_run, tmp_path):
    changes = {
        "concurrency": 2,
        "items": 3,
        "timeout_s": 5,
        "prompt_price": 1,
        "base_url": "http://localhost:1/v1",
        "ledger": str(tmp_path / "calls.db"),
        "keep_checkpoints": "none",
    }
    with open_run(finished_run, changes):
        pass
    assert states(finished_run) == {"done"}
    assert {name for part in (Asking, Places) for name in part.model_fields} >= changes.keys()


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"max_loss": 1}, BlendSettings),
        ({"max_tokens": 9}, FuseSettings),
        ({"rater": "critic"}, RateSettings),
    ],
)
def test_any_setting_can_go_back_to_its_default(finished_run, changes, part):
    (name,) = changes
    with open_run(finished_run, changes):
        pass
    assert "stale" in states(finished_run)
    with open_run(finished_run, {"unset": [name]}) as run:
        assert getattr(run.settings.of(part), name) is None
    assert states(finished_run) == {"done"}


@pytest.mark.parametrize("name", sorted(RENAMED))
def test_a_name_that_is_gone_says_what_stands_in_its_place(name):
    with pytest.raises(UsageError) as caught:
        settings_of({}, PARTS).changed({name: 1})
    assert caught.value.message == f"there is no setting {name!r}"
    assert caught.value.remedy == RENAMED[name]


def test_an_unknown_name_is_refused_without_its_value():
    with pytest.raises(UsageError) as caught:
        settings_of({}, PARTS).changed({"api_key": "sk-secret"})
    assert "sk-secret" not in str(caught.value)


def test_every_name_stands_in_one_place_or_means_the_same_in_all():
    found = {}
    for part in (*PARTS, Asking, Places):
        for name, field in part.model_fields.items():
            same = found.setdefault(name, (field.default, field.annotation, field.description))
            assert same == (field.default, field.annotation, field.description)
