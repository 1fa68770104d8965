"""Whatever text there is, every reader gets it back: YAML 1.1 and 1.2, TOML, and Compose after interpolation."""

from __future__ import annotations

import io
import tomllib

import pytest
import yaml
from compose_texts import HOSTILE
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from anvil_gen.diagnostics import InternalError
from anvil_gen.render.quoting import (
    comment,
    to_toml,
    to_word,
    to_yaml,
    toml_string,
    yaml_block,
    yaml_folded,
    yaml_string,
)
from anvil_gen.values import ComposeText, EnvRef, Number, VariableText, compose_text

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
ANY = st.one_of(st.sampled_from(HOSTILE), TEXT)


def read_both(document: str) -> tuple[object, object]:
    """Return what a YAML 1.1 and a YAML 1.2 reader make of a document."""
    return yaml.safe_load(document), YAML(typ="safe", pure=True).load(io.StringIO(document))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_comes_back(text: str) -> None:
    key = text[:1000]  # no YAML reader takes a longer one
    document = f"top:\n  - {yaml_string(text)}\n  - {{{yaml_string(key)}: {yaml_string(text)}}}\nend: 1\n"
    expected = {"top": [text, {key: text}], "end": 1}

    assert read_both(document) == (expected, expected)
    assert tomllib.loads(f"a = {toml_string(text)}\n{toml_string(text)} = 1\n") == ({"a": text} | {text: 1})


@examples(400)
@given(ANY)
def test_any_text_comes_back(text: str) -> None:
    one, other = read_both(f"a: {yaml_string(text)}\n")

    assert one == other == {"a": text}
    assert tomllib.loads(f"a = {toml_string(text)}\n") == {"a": text}


@examples(200)
@given(st.lists(ANY.map(str.strip).filter(lambda text: text and "\n" not in text), min_size=1, max_size=6))
def test_folded_text_is_one_string(texts: list[str]) -> None:
    visible = [text for text in texts if text.strip(" \t") == text]
    one, other = read_both(f"a:\n  b: {yaml_folded(visible, 6)}\nc: 1\n")

    assert one == other == {"a": {"b": " ".join(visible)}, "c": 1}


@pytest.mark.parametrize("value", [None, 1.5, [], {}, object()])
def test_what_has_no_form_is_refused(value: object) -> None:
    with pytest.raises(InternalError, match="only text, numbers and booleans"):
        to_yaml(value)
    with pytest.raises(InternalError, match="only text, numbers and booleans"):
        to_toml(value)


@pytest.mark.parametrize("value", ["a b", "a\nb", "", "$X", 'a"b', "a;b", None, True])
def test_a_file_without_quotes_takes_only_words(value: object) -> None:
    with pytest.raises(InternalError, match="no quotes"):
        to_word(value)


def test_a_brace_cannot_end_a_variable() -> None:
    with pytest.raises(InternalError, match="brace"):
        compose_text(VariableText((EnvRef(name="X", default="a}b"),)))


@examples(200)
@given(ANY)
def test_a_comment_stays_on_its_line(text: str) -> None:
    document = f"a: 1 # {comment(text)}\nb: 2\n"

    assert read_both(document) == ({"a": 1, "b": 2}, {"a": 1, "b": 2})


@pytest.mark.parametrize(
    "spelled", ["0.90", "1e3", "1E3", "-1e-3", "1.5e10", "6.02E+23", "inf", "-inf", "+inf", "-0.0", "1_0.5", "1e22"]
)
def test_a_float_is_one_for_every_reader(spelled: str) -> None:
    number = Number(spelled)
    expected = {"a": float(number), "b": [float(number)]}

    assert read_both(f"a: {to_yaml(number)}\nb:\n  - {to_yaml(number)}\n") == (expected, expected)
    assert read_both(yaml_block({"a": number, "b": [number]}, 0)) == (expected, expected)


VALUES = st.recursive(
    st.one_of(
        ANY.map(ComposeText), st.booleans(), st.integers(), st.floats(allow_nan=False).map(lambda f: Number(repr(f)))
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(ANY.filter(lambda k: len(k) < 99), inner)),
    max_leaves=8,
)


@examples(300)
@given(st.dictionaries(ANY.filter(lambda key: len(key) < 99), VALUES, min_size=1, max_size=4))
def test_any_block_is_the_same_for_every_reader(value: dict[str, object]) -> None:
    one, other = read_both(yaml_block(value, 0))

    assert one == other == value


def test_a_comment_escapes_the_same_characters_in_every_python() -> None:
    # Not assigned, private, and new in some version: what `str.isprintable` says of them changes.
    assert comment("a\u0378\ue000\U0001fae9") == "a\u0378\ue000\U0001fae9"
    assert comment("\x1b\u202e\u2028\ufeff") == "\\u{1b}\\u{202e}\\u{2028}\\u{feff}"
