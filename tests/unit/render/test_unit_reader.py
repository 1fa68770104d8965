"""Texts in the syntaxes of targets: each is read back as the same text."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from anvil_gen.diagnostics import InternalError
from anvil_gen.render.quoting import systemd_line, systemd_word, to_pod, to_unit, yaml_literal
from anvil_gen.render.unit_reader import plain, read_unit, split_words

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


@given(st.lists(TEXTS.filter(bool), min_size=1, max_size=4))
def test_words_of_a_unit_are_read_back(words: list[str]) -> None:
    line = " ".join(map(systemd_word, words))

    assert "\n" not in line
    assert [plain(word) for word in split_words(line)] == words


@given(TEXTS)
def test_a_block_of_lines_is_read_back(text: str) -> None:
    assert yaml.safe_load(f"data:\n  x: {yaml_literal(text, 4)}\n  y: 1\n") == {"data": {"x": text, "y": 1}}


@pytest.mark.parametrize(
    "text", ["", "\n", " a\n", "\n\na\n\n", "a", "a\n", "a\n\n", "a\n  b\n", "\ta\n", "- x: 1\n", "é\n"]
)
def test_ends_and_margins_of_a_block_are_kept(text: str) -> None:
    assert yaml.safe_load(f"x: {yaml_literal(text, 2)}\n") == {"x": text}


@given(TEXTS)
def test_kubernetes_puts_no_variable_in(text: str) -> None:
    written = yaml.safe_load(to_pod(text))

    assert written.replace("$$", "").count("$") == 0
    assert written.replace("$$", "$") == text


def test_a_variable_that_is_meant_stands_between_two_nuls() -> None:
    assert yaml.safe_load(to_pod("$(A) \0A\0")) == "$$(A) $(A)"


@pytest.mark.parametrize("text", ["", "a\0"])
def test_a_unit_has_no_such_word(text: str) -> None:
    with pytest.raises(InternalError, match="empty or has a NUL"):
        systemd_word(text)


@pytest.mark.parametrize("text", ["a\nRestart=no", " a", "a\\", ""])
def test_no_value_leaves_its_line(text: str) -> None:
    for quote in (systemd_line, to_unit):
        with pytest.raises(InternalError, match="cannot be written to a unit"):
            quote(text)


@pytest.mark.parametrize("text", ["'open", '"open', "\\q"])
def test_what_is_no_word_is_refused(text: str) -> None:
    with pytest.raises(InternalError):
        split_words(text)


def test_a_unit_has_sections_keys_and_continued_lines() -> None:
    text = "# a\n[Container]\nExec=a \\\n  b\nImage = x\n; c\n[Service]\nRestart=no\n"

    assert list(read_unit(text)) == [
        ("Container", "Exec", "a    b"),
        ("Container", "Image", "x"),
        ("Service", "Restart", "no"),
    ]
