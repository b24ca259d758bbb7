"""Any value at any place of a configuration gives a configuration or a message, never another exception."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nanosnake import config as configuration
from nanosnake.files import NanosnakeError

REPOSITORY = Path(__file__).parents[2]
NAMES = ["config", "fineweb-edu", "climbmix"]
SHIPPED = [yaml.safe_load((REPOSITORY / f"config/{name}.yaml").read_text()) for name in NAMES]
SHIPPED.append({**SHIPPED[0], "publish": {"destination": "s3://bucket/prefix", "include": ["token_shards"]}})

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["0-3", "3-0", "*", "../up", "$(id)", "a\nb", "s3://b/k", "{shard}", "file:///etc/passwd",
                       "https://u:p@h/{shard}", "9" * 5000, "0-999999999", "\ud800", "(", -1, 1 << 70])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(autouse=True, scope="module")
def _in_the_repository() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        yield


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values in a configuration, the whole left out."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [path] if path else []
    for key, more in inner:
        found += places(more, (*path, key))
    return found


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_value_anywhere(data: st.DataObject) -> None:
    raw = copy.deepcopy(data.draw(st.sampled_from(SHIPPED)))
    for _ in range(data.draw(st.integers(1, 2))):
        *outer, key = data.draw(st.sampled_from(places(raw)))
        inside = raw
        for step in outer:
            inside = inside[step]
        if isinstance(inside, dict) and data.draw(st.booleans()):
            key = data.draw(st.text(max_size=12) | st.sampled_from([key, "../x", "a b", ""]))
        inside[key] = data.draw(VALUES)
    try:
        config = configuration.load(raw, origin="test.yaml")
    except NanosnakeError as error:
        message = str(error)
        assert message.startswith("test.yaml: ")
        assert "; nothing was run\n  " in message
        assert len(message) < 10_000
        return
    dumped = config.model_dump(mode="json")
    made_by_lists = [settings.pop("sweep", None) for settings in dumped["tokenizers"].values()]
    again = configuration.load(dumped)
    assert any(made_by_lists) or again == config
    for dataset in config.datasets.values():
        for shard in dataset.locations:
            assert "/" not in shard
            assert not shard.startswith(".")


@pytest.mark.parametrize("value", ["\ud800", {"": "\ud800"}, ["a", "\udfff"], {"\ud800": 1}])
def test_half_of_a_character_is_named(value: object) -> None:
    raw = copy.deepcopy(SHIPPED[0])
    raw["datasets"]["demo"] = value
    with pytest.raises(NanosnakeError, match=r"datasets\.demo.*half of a character") as caught:
        configuration.load(raw, origin="test.yaml")
    str(caught.value).encode()
