"""Names that hold secrets, and what is shown in place of their values."""

from __future__ import annotations

import time

import pytest

from anvil_gen.text.masking import (
    holds_secret,
    literal_secrets,
    mask_arguments,
    mask_text,
    may_hold_secret,
    secret_part,
)


@pytest.mark.parametrize(
    ("name", "may", "does"),
    [
        ("HF_TOKEN", True, True),
        ("api-key", True, True),
        ("--api-key", True, True),
        ("OPENAI_API_KEYS", True, True),
        ("AWS_SECRET_ACCESS_KEY", True, True),
        ("AWS_ACCESS_KEY_ID", True, False),
        ("api_key_env", True, False),
        ("API_KEY_2", True, True),
        ("DB_PASS", True, True),
        ("DB_PWD", True, True),
        ("Pwd", True, True),
        ("PWD", False, False),
        ("OLDPWD", False, False),
        ("secretKey", True, True),
        ("forward-pass-metrics", False, False),
        ("api-key-file", True, False),
        ("API_KEY_FILE", True, False),
        ("db_password", True, True),
        ("max_tokens", False, False),
        ("tokenizer", False, False),
        ("skip-tokenizer-init", False, False),
        ("monkey", False, False),
        ("keyed", False, False),
    ],
)
def test_names_of_secrets(name: str, may: bool, does: bool) -> None:
    assert (may_hold_secret(name), holds_secret(name)) == (may, does)


@pytest.mark.parametrize(
    ("path", "expected"),
    [((), None), (("tiers", "fast", 0), None), (("flags", "api-key", 0), 1), (("token", "password"), 0)],
)
def test_the_secret_part_of_a_path(path: tuple[str | int, ...], expected: int | None) -> None:
    assert secret_part(path) == expected


@pytest.mark.parametrize(
    ("text", "shown", "shown_with_variables"),
    [
        ("max_tokens = 5", "max_tokens = 5", "max_tokens = 5"),
        ('password = "x"', "password = …", "password = …"),
        ("HF_TOKEN: x", "HF_TOKEN: …", "HF_TOKEN: …"),
        ("MY_CREDENTIALS.x = 'y'", "MY_CREDENTIALS.x = …", "MY_CREDENTIALS.x = …"),
        ("{ 'secret' = 1 ]", "{ 'secret' = …", "{ 'secret' = …"),
        ("A_TOKEN: x\nb: 1\n", "A_TOKEN: …\nb: 1\n", "A_TOKEN: …\nb: 1\n"),
        ("A_TOKEN: ${X}", "A_TOKEN: …", "A_TOKEN: ${X}"),
        ('A_TOKEN:   "${X}"', "A_TOKEN:   …", 'A_TOKEN:   "${X}"'),
    ],
)
def test_a_text(text: str, shown: str, shown_with_variables: str) -> None:
    assert mask_text(text) == shown
    assert mask_text(text, show_variables=True) == shown_with_variables


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--seed=1", "x"], ["--seed=1", "x"]),
        (["--api-key=k", "--seed", "1"], ["--api-key=…", "--seed", "1"]),
        (["--api_key", "k", "l", "--hf-token", "t"], ["--api_key", "…", "…", "--hf-token", "…"]),
        (["--max-tokens=5", "--tokenizer", "x"], ["--max-tokens=5", "--tokenizer", "x"]),
        (["--api-key", "-k", "--", "--l:m=n", "--seed"], ["--api-key", "…", "…", "…", "--seed"]),
        (["--x[0].token=t", "-token", "t"], ["--x[0].token=…", "…", "…"]),
        (["-token=t", "u", "-"], ["-token=…", "…", "…"]),
    ],
)
def test_arguments(words: list[str], shown: list[str]) -> None:
    assert mask_arguments(words) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("serve --api-key s3cret --x", "serve --api-key …"),
        ('command = ["--api-key", "s3cret"]', 'command = ["--api-key", …'),
        ("      - --api-key\n      - s3cret\n      - --x\n", "      - --api-key\n      - …\n      - --x\n"),
        ("      - --api-key\n      - --x\n", "      - --api-key\n      - --x\n"),
        ("      - --api-key\n      - ${KEY}\n", "      - --api-key\n      - ${KEY}\n"),
        ("url: https://me:s3cret@h/x", "url: https://…h/x"),
        ("Authorization: Bearer s3cret", "Authorization:…"),
        ("x sk-0123456789abcdef0123 y", "x … y"),
        ("--max-tokens 5 --tokenizer x", "--max-tokens 5 --tokenizer x"),
        ("--no-cache --key-file x", "--no-cache --key-file …"),
    ],
)
def test_secrets_without_a_name_and_after_flags(text: str, shown: str) -> None:
    assert mask_text(text, show_variables=True) == shown


@pytest.mark.parametrize(
    "piece",
    [
        "key-",
        "key.",
        "key ",
        "--key-",
        "--a ",
        "a=",
        "://a:",
        "sk-",
        "eyJ",
        "curl ",
        "-----BEGIN ",
        "\\",
        "a:",
        "ENV ",
        "${A:-",
        "$(",
    ],
)
def test_an_endless_line_takes_no_more_than_its_length(piece: str) -> None:
    text = piece * (50_000 // len(piece))
    begin = time.process_time()
    mask_text(text)
    list(literal_secrets(text))

    assert time.process_time() - begin < 2.5  # where each place looked at all that follows, it was minutes


@pytest.mark.parametrize(
    ("words", "places"),
    [
        (["--seed", "1", "--tokenizer", "x"], []),
        (["--api-key", "k"], [(1,)]),
        (["--api-key", "k", "l", "--x", "y"], [(1,), (2,)]),
        (["--api-key", "-k"], [(1,)]),
        (["--password", "k", "-q", "SELECT 1"], [(1,)]),
        (["--api-key=k"], [(0,)]),
        (["--x", "A_TOKEN=k"], [(1,)]),
        (["--x", '{"api_key": "sk-0123456789abcdef0123"}'], [(1,)]),
        (["--api-key-file", "k"], []),
    ],
)
def test_secrets_among_arguments(words: list[str], places: list[tuple[int]]) -> None:
    assert list(literal_secrets(words)) == places
