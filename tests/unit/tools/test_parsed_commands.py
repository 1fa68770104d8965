"""SGLang's command lines are those that its own parser took when it was last asked."""

from __future__ import annotations

import json
from pathlib import Path

from parse_commands import RECORD, commands

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.release import image_version


def test_what_is_rendered_is_what_the_parser_took(tmp_path: Path) -> None:
    record = json.loads(RECORD.read_text("utf-8"))
    again = f"ask it again: python tools/parse_commands.py {record['version']} --sources FOLDER"

    assert commands(tmp_path) == record["commands"], again


def test_the_parser_is_that_of_the_release_that_tiers_get(tmp_path: Path) -> None:
    engine = Catalog().engine("sglang")
    assert engine is not None

    assert json.loads(RECORD.read_text("utf-8"))["version"] == image_version(engine, engine.image)


def test_both_ranks_of_a_group_were_taken() -> None:
    taken = json.loads(RECORD.read_text("utf-8"))["commands"]

    for rank, name in enumerate(("head big", "worker big")):
        assert {"--nnodes=2", f"--node-rank={rank}", "--dist-init-addr=10.0.0.1:25000"} <= {*taken[name]}
