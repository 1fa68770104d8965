"""The rules for templates: each with a template that breaks it, and all shipped templates keeping them."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest
from markupsafe import Markup

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.defaults import shipped_templates
from anvil_gen.catalog.template_tree import CLIENTS
from anvil_gen.diagnostics import DiagnosticError, InternalError
from anvil_gen.render.jinja_env import TemplateEnvironment
from anvil_gen.render.quoting import to_yaml
from anvil_gen.render.syntaxes import syntax_of
from anvil_gen.render.template_lint import (
    AUTOESCAPE,
    COMMENT,
    CONSTANT,
    GLUED,
    HIDDEN,
    INSIDE,
    JOINED_CALL,
    KEPT_FILTER,
    KEY,
    NO_ELSE,
    WHOLE,
    Rule,
)
from anvil_gen.values import ComposeText

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
    ("a: {{ 'a' if true else '' }}\n", CONSTANT),
    ("a: {{ 'x' + 'y' }}\n", CONSTANT),
    ("a: {{ -5 }}\n", CONSTANT),
    ("a: {{ '%s' % 'x' }}\n", CONSTANT),
    ("a: {{ 'x' | key }}\n", CONSTANT),
    ("a: b-{% if v %}{{ v }}{% endif %}\n", GLUED),
    ("a: {% if v %}{{ v }}{% endif %}-b\n", GLUED),
    ("a: {% for v in x %}{{ v }}{% endfor %}\n", GLUED),
    ("a: 'x#{{ v }}'\n", GLUED),
    ("a: 'x # {{ v }}'\n", GLUED),
    ("a: 'it''s {{ v }}'\n", GLUED),
    ('a: "\\" {{ v }}"\n', GLUED),
    ('{% macro m() %}x{% endmacro %}\na: "{{ m() }}"\n', GLUED),
    ('a: b-{% include "x" %}\n', GLUED),
    ("a: {{ x | comment }}\n", COMMENT),
    ("a: b#{{ x | comment }}\n", COMMENT),
    ("a: {{ x | key }}\n", KEY),
    ("a: {{ x | key if y else z }}\n", KEY),
    ("a: {{ x | folded(2) }} b\n", WHOLE),
    ("a: [{{ x | folded(2) }}]\n", WHOLE),
    ("a: {{ x | block(2) }}\n", WHOLE),
    ("# {{ x | block(2) }}\n", WHOLE),
    ("{% macro m() %}x{% endmacro %}\na: {{ m() + x }}\n", JOINED_CALL),
    ("{% macro m() %}x{% endmacro %}\na: {{ '%s' % m() }}\n", JOINED_CALL),
    ("{% set b %}x{% endset %}\na: {{ b ~ x }}\n", JOINED_CALL),
    ("{% set y = x | key %}\n", KEPT_FILTER),
    ("{% filter key %}x{% endfilter %}\n", KEPT_FILTER),
    ("a: {{ x.__class__ }}\n", HIDDEN),
    ("a: {{ x['__class__'] }}\n", HIDDEN),
    ("a: {{ x.format(y) }}\n", HIDDEN),
    ("{% set y = x.update(z) %}\n", HIDDEN),
    ("{% set y = x['append'](z) %}\n", HIDDEN),
    ("a: b {{ x }}\n", INSIDE),
    ("a: b, {{ x }}\n", INSIDE),
    ("a: b - {{ x }}\n", INSIDE),
    ("- --flag {{ x }}\n", INSIDE),
    ("- [a, b {{ x }}]\n", INSIDE),
    ("- {{ x }} {{ y }}\n", INSIDE),
    ("a: b [{{ x }}]\n", INSIDE),
    ("{{ x }}\n", INSIDE),
    ("a: b\n  {{ x }}\n", INSIDE),
    ("a:\n  {{ x }}\n", INSIDE),
    ("a: |\n  {{ x }}\n", INSIDE),
    ("a: |\n  b: {{ x }}\n", INSIDE),
    ("- >-  # why\n  it's\n\n    - {{ x }}\n", INSIDE),
    ("a: |2\n    # {{ x | comment }}\n", INSIDE),
    ("a: |\n  {% for v in x %}\n  b: {{ v }}\n  {% endfor %}\n", INSIDE),
    ("{% set b %}x{% endset %}\na: b {{ b }}\n", INSIDE),
    ('a: "b\n  c: {{ x }}"\n', GLUED),
    ("{% autoescape false %}\na: {{ x }}\n{% endautoescape %}\n", AUTOESCAPE),
]
KEPT = [
    "a: {{ x }}\n",
    "- {{ x }}\n",
    "- - {{ x }}\n",
    "- {{ x }}: {{ y }}\n",
    "'a b': {{ x }}\n",
    "a: [{{ x }}, {b: {{ y }}}]\n",
    "a: [\n  {{ x }},\n  b,\n  {{ y }}\n]\n",
    "a: b  # it's {{ x | comment }}\nc: {{ y }}\n",
    "a: rock 'n roll\nb: {{ x }}\n",
    "a: |\n  it's \"b\nc: {{ x }}\n",
    "- |-\n  a: |\n    b\n- {{ x }}\n",
    "a: || b\nc: {{ x }}\n",
    "a: >\n\n  b\n# {{ x | comment }}\nc: {{ x }}\n",
    "{% if x %}\na: |\n  b\n{% else %}\na: c\n{% endif %}\nd: {{ x }}\n",
    "{% set b %}\na: {{ x }}\n{% endset %}\n{{ b }}\n",
]
FILTERS = [("yaml", {"comment", "key", "folded", "block"}), ("data", {"comment", "key"}), ("toml", {"comment"})]
FILTERS += [("cfg", {"comment", "variable"}), ("map", {"comment"}), ("words", {"comment"})]
UNKNOWN_FILTERS = ["safe", "tojson", "e", "escape", "forceescape", "replace('a', 'b')", "indent", "sort", "string"]


def compile_text(text: str, syntax: str = "yaml") -> None:
    """Compile a template as the renderer does."""
    TemplateEnvironment(Catalog(), to_yaml, None, syntax=syntax).from_string(text)


@pytest.mark.parametrize(("text", "rule"), BROKEN)
def test_broken_rule_is_named_with_its_line(text: str, rule: Rule) -> None:
    with pytest.raises(DiagnosticError) as caught:
        compile_text(text)

    (found,) = {(d.detail, d.remedy, d.location and d.location.line) for d in caught.value.diagnostics}
    printed = text.rfind("{{") if "{{" in text and rule is not AUTOESCAPE else 0
    line = text[:printed].count("\n") + 1
    assert found == (rule.what, rule.instead, line)


@pytest.mark.parametrize("text", KEPT)
def test_a_value_of_its_own_keeps_the_rules(text: str) -> None:
    compile_text(text)


@pytest.mark.parametrize(("syntax", "names"), FILTERS)
def test_a_syntax_has_no_filter_of_another_one(syntax: str, names: set[str]) -> None:
    assert TemplateEnvironment(Catalog(), to_yaml, None, syntax=syntax).filters.keys() == names


def test_folded_words_are_escaped_for_compose() -> None:
    template = TemplateEnvironment(Catalog(), to_yaml, None, syntax="yaml").from_string("a: {{ x | folded(2) }}\n")

    assert template.render(x=["$A", ComposeText("$B")]) == "a: '$$A\n  $B'\n"
    for words in ([""], ["a "], ["a", "\tb"]):
        with pytest.raises(InternalError, match="cannot be folded"):
            template.render(x=words)


@pytest.mark.parametrize("name", UNKNOWN_FILTERS)
def test_no_filter_passes_a_value_by_the_quoting(name: str) -> None:
    with pytest.raises(jinja2.TemplateAssertionError, match="No filter named"):
        compile_text(f"a: {{{{ x | {name} }}}}\n")


@pytest.mark.parametrize("text", ["a: {{ x }}\n", "- {{ x }}\n", "a: [{{ x }}, {{ x }}]\n", "{{ x | key }}: {{ x }}\n"])
def test_a_value_on_its_own_is_quoted(text: str) -> None:
    environment = TemplateEnvironment(Catalog(), to_yaml, None, syntax="yaml")

    assert '"a: b"' in environment.from_string(text).render(x="a: b")


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("{% macro m(v) %}\n- {{ v }}\n{% endmacro %}\n{{ m(x) }}\n", '- "a: b"\n'),
        ("{% macro m(v) %}{{ v }}{% endmacro %}\na: {{ m(x) }}\n", 'a: "a: b"\n'),
        ("{% set b %}{{ x }}{% endset %}\na: {{ b }}\n", 'a: "a: b"\n'),
        ("{% macro m() %}{{ caller() }}{% endmacro %}\na: {% call m() %}{{ x }}{% endcall %}\n", 'a: "a: b"'),
        ("{% block c %}\na: {{ x }}\n{% endblock %}\n{{ self.c() }}\n", 'a: "a: b"\n'),
        ("{% for v in [x] recursive %}\n- {{ v }}\n{% endfor %}\n", '- "a: b"\n'),
    ],
)
def test_what_macros_and_blocks_print_is_quoted_once(text: str, printed: str) -> None:
    result = TemplateEnvironment(Catalog(), to_yaml, None, syntax="yaml").from_string(text).render(x="a: b")

    assert printed in result
    assert '\\"' not in result


@pytest.mark.parametrize(
    "text", ["a: {{ x }}\n", "{% set y = x ~ z %}\na: {{ y }}\n", "{% set n = '__cl' ~ 'ass__' %}\na: {{ z[n] }}\n"]
)
def test_foreign_markup_and_hidden_names_are_refused_at_run_time(text: str) -> None:
    template = TemplateEnvironment(Catalog(), to_yaml, None, syntax="yaml").from_string(text)

    with pytest.raises(jinja2.TemplateRuntimeError):
        template.render(x=Markup("<b>"), z="plain")


@pytest.mark.parametrize("path", sorted(shipped_templates().rglob("*.j2")), ids=lambda path: path.name)
def test_shipped_template_keeps_the_rules(path: Path) -> None:
    kind, name, *_ = path.relative_to(shipped_templates()).parts
    target = Catalog().target(name) if kind == "targets" else None
    syntax = target.syntax if target is not None else "" if kind == CLIENTS else syntax_of(path.stem)
    compile_text(path.read_text("utf-8"), syntax)
