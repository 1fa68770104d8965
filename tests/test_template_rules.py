"""The rules for templates: each with a template that breaks it, and all shipped templates keeping them."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from anvil_gen.catalog import Catalog, shipped_templates
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.quoting import to_yaml
from anvil_gen.template_rules import AUTOESCAPE, CONSTANT, GLUED, JOINED_CALL, NO_ELSE, Rule
from anvil_gen.templating import TemplateEnvironment

BROKEN = [
    ("a: {{ 'x' }}\n", CONSTANT),
    ("a: {{ 'x' ~ 'y' }}\n", CONSTANT),
    ("a: {{ 5 }}\n", CONSTANT),
    ("a: 'b-{{ x }}'\n", GLUED),
    ('a: "{{ x }}"\n', GLUED),
    ("a: b-{{ x }}\n", GLUED),
    ("a: {{ x }}-b\n", GLUED),
    ("a: {{ x }}{{ x }}\n", GLUED),
    ("a: {{ x if x }}\n", NO_ELSE),
    ("{% macro m() %}x{% endmacro %}\na: {{ m() ~ x }}\n", JOINED_CALL),
    ("{% autoescape false %}\na: {{ x }}\n{% endautoescape %}\n", AUTOESCAPE),
]
UNKNOWN_FILTERS = ["safe", "tojson", "e", "escape", "forceescape", "replace('a', 'b')", "indent", "sort", "string"]


def compile_text(text: str) -> None:
    """Compile a template as the renderer does."""
    TemplateEnvironment(Catalog(), to_yaml, None).from_string(text)


@pytest.mark.parametrize(("text", "rule"), BROKEN)
def test_broken_rule_is_named_with_its_line(text: str, rule: Rule) -> None:
    with pytest.raises(DiagnosticError) as caught:
        compile_text(text)

    (found,) = {(d.detail, d.remedy, d.location and d.location.line) for d in caught.value.diagnostics}
    assert found == (rule.what, rule.instead, text.count("\n") if rule is not AUTOESCAPE else 1)


@pytest.mark.parametrize("name", UNKNOWN_FILTERS)
def test_no_filter_passes_a_value_by_the_quoting(name: str) -> None:
    with pytest.raises(jinja2.TemplateAssertionError, match="No filter named"):
        compile_text(f"a: {{{{ x | {name} }}}}\n")


@pytest.mark.parametrize("text", ["a: {{ x }}\n", "- {{ x }}\n", "a: [{{ x }}, {{ x }}]\n", "{{ x | key }}: {{ x }}\n"])
def test_a_value_on_its_own_is_quoted(text: str) -> None:
    environment = TemplateEnvironment(Catalog(), to_yaml, None)

    assert '"a: b"' in environment.from_string(text).render(x="a: b")


@pytest.mark.parametrize("path", sorted(shipped_templates().rglob("*.j2")), ids=lambda path: path.name)
def test_shipped_template_keeps_the_rules(path: Path) -> None:
    compile_text(path.read_text("utf-8"))
