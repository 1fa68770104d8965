"""Words of a text, as a shell splits it."""

from __future__ import annotations

from time import process_time

from anvil_gen.importing.shell_words import split_words


def test_an_endless_word_takes_no_more_than_its_length() -> None:
    began = process_time()
    found = split_words("serve " + "=" * 500_000 + " '" + "a b" * 100_000 + "' ${A:-${B}}c")

    assert [len(word.text) for word in found] == [5, 500_000, 300_000, 11]
    assert process_time() - began < 5
