"""Every diagnostic has a code of the table, and every code of the table is used."""

from __future__ import annotations

import ast
import re

from parsed_code import nodes

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.docker_conditions import docker_conditions
from anvil_gen.diagnostic_codes import SUMMARIES


def test_codes_and_summaries() -> None:
    assert [code for code in SUMMARIES if not re.fullmatch("[a-z]+(-[a-z]+)*", code)] == []
    assert list(SUMMARIES) == sorted(SUMMARIES)
    assert len(set(SUMMARIES.values())) == len(SUMMARIES)


def test_no_code_is_unknown_or_unused() -> None:
    # `missing-{kind}folder` and the like are made of parts.
    made = {"missing-file", "missing-model-file", "missing-folder", "missing-model-folder"}
    used = {condition.code for condition in docker_conditions(Catalog())}
    for module, found in nodes().items():
        if module != "anvil_gen.diagnostic_codes":
            used |= {node.value for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str)}

    assert set(SUMMARIES) - used - made == set()


def test_no_diagnostic_without_a_code() -> None:
    unknown = []
    for found in nodes().values():
        for node in found:
            if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
                unknown += [node.value.value] if node.value.value not in SUMMARIES else []

    assert unknown == []
