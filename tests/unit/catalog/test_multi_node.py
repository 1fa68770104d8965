"""What a group writes is what engines take, by the captured flags of every version that serves over several hosts."""

from __future__ import annotations

from pathlib import Path

import pytest
from group_fleets import GROUP, write_pair

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.flag_timeline import version_key
from anvil_gen.deploy.pipeline import Generator

IMAGES = {"vllm": "vllm/vllm-openai:v0.33.0", "sglang": "lmsysorg/sglang:v0.5.23"}
CATALOG = Catalog()


def engines() -> list[str]:
    return [name for name in CATALOG.names("engines") if (found := CATALOG.engine(name)) and found.multi_node]


def test_three_engines_serve_over_several_hosts() -> None:
    assert engines() == ["llamacpp", "sglang", "vllm"]


@pytest.mark.parametrize("name", engines())
def test_every_version_from_the_first_knows_the_flags(name: str) -> None:
    engine, timeline = CATALOG.engine(name), CATALOG.flag_timeline(name)
    assert engine is not None
    assert engine.multi_node is not None
    assert timeline is not None
    flags = {
        flag: value
        for executor in engine.multi_node.executors.values()
        for data in (executor.head, executor.worker)
        for flag, value in data.flags.items()
    }
    since = version_key(engine.multi_node.since)
    versions = [version for version in timeline.versions if version_key(version) >= since]

    assert versions
    for version in versions:
        for flag, value in flags.items():
            found = timeline.find(flag, version)
            assert found is not None, (version, flag)
            assert (found.type == "switch") == (value is True), (version, flag)


@pytest.mark.parametrize("name", IMAGES)
def test_a_whole_command_has_only_flags_that_the_version_takes(name: str, tmp_path: Path) -> None:
    group = GROUP.replace('engine = "vllm"', f'engine = "{name}"\nimage = "{IMAGES[name]}"')
    timeline = CATALOG.flag_timeline(name)
    assert timeline is not None
    version = IMAGES[name].rpartition(":v")[2]

    for plan in Generator().render_all(write_pair(tmp_path, group=group)):
        words = plan.tree.data["tiers/big.yml"]["services"]["big"]["command"]
        written = [word.removeprefix("--").partition("=")[0] for word in words if word.startswith("--")]
        assert [flag for flag in written if timeline.find(flag, version) is None] == []
        assert len(written) == len(set(written))
