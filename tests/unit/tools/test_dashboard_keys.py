"""Dashboards have no key that Grafana's own types did not know when they were last asked."""

from __future__ import annotations

import json
from pathlib import Path

from check_dashboards import PACKAGE, RECORD, dashboards, keys_of

RECORDED = json.loads(RECORD.read_text("utf-8"))


def test_grafana_knows_every_key_that_is_rendered(tmp_path: Path) -> None:
    found = {key for data in dashboards(tmp_path).values() for key in keys_of(data)}

    assert found == {*RECORDED["keys"]}, "ask Grafana's types again: python tools/check_dashboards.py"


def test_the_record_says_which_grafana_it_was() -> None:
    assert RECORDED[PACKAGE].endswith("!11.6.0")
    assert {"panels.[].repeat: str", "templating.list.[].multi: bool"} <= {*RECORDED["keys"]}


def test_a_key_is_known_by_its_place_and_type() -> None:
    assert list(keys_of({"a": [{"b": 1}, {"b": "x"}], "c": []})) == ["a.[].b: int", "a.[].b: str", "c: empty list"]
