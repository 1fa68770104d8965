"""Files that cannot be read or parsed: reported with line, column and a remedy, whatever is in them."""

from __future__ import annotations

from pathlib import Path
from time import process_time

import pytest
from inventories import without_marks

from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.inventory.toml_file import MAX_DEPTH, Document

DEEP = 3_000
DEEPER = 100_000


def fault_of(path: Path) -> Diagnostic:
    """Return the one error of a document."""
    with pytest.raises(DiagnosticError) as caught:
        Document(path, display="box.toml")
    [diagnostic] = caught.value.diagnostics
    return diagnostic


def written(folder: Path, content: str | bytes) -> Path:
    """Return an inventory of that content."""
    path = folder / "box.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("marked", "detail", "remedy"),
    [
        ("a = 1\nb = ▸\n", "invalid value", ""),
        ("a = 1\r\nb = ▸\r\n", "invalid value", ""),
        ("engine = ▸vllm\n", "invalid value", 'write text in quotes: engine = "vllm"'),
        ('x = "😀" ▸y\n', "expected newline", "one key per line"),
        ('p = "C:\\U▸sers"\n', "invalid hex value", "write forward slashes, or single quotes"),
        ('p = "C:\\m▸odels"\n', "unescaped", "write forward slashes, or single quotes"),
        ("a = 1▸\rb = 2\n", "expected newline", ""),
        ("a = 1\n▸a = 2\n", "cannot overwrite a value", "keep one of the two"),
        ("[a.'b c']\n▸[a.'b c']\n", 'cannot declare a."b c" twice', "put them together"),
        ("a.b = 1\n ▸[a]\n", "cannot declare a twice", "put them together"),
        ("[a]\nb.c = 1\n▸[a.b]\n", "cannot declare a.b twice", "put them together"),
        ("a = { b = 1 }\n▸a.c = 2\n", "cannot mutate immutable namespace a", "write the key inside them"),
        ("a = { b = 1, b = 2▸ }\n", "duplicate inline table key 'b'", "keep one of the two"),
        ("[tiers.two ▸words]\n", "expected ']'", "in quotes"),
        ("a = [1,\n2\n▸", "unclosed array", "close the list"),
        ("a = { b = 1▸\n", "unclosed inline table", "close the table"),
        ('a = "b▸\n', "illegal character '\\n'", "close the quotes"),
        ('a = """b\n▸', "unterminated string", "close the quotes"),
        ("port 30000\n".replace(" ", " ▸"), "expected '=' after a key", "write key = value"),
        ("a = 1 # ▸\0\n", "found invalid character '\\x00'", ""),
        ("▸\0\n", "invalid statement", ""),
    ],
)
def test_a_syntax_error_has_a_place_and_a_remedy(tmp_path: Path, marked: str, detail: str, remedy: str) -> None:
    text, [place] = without_marks(marked)
    diagnostic = fault_of(written(tmp_path, text))

    assert diagnostic.summary == "not valid TOML"
    assert diagnostic.location is not None
    assert (diagnostic.location.line, diagnostic.location.column) == place
    assert diagnostic.location.source == text.split("\n")[place[0] - 1].removesuffix("\r")
    assert detail in diagnostic.detail
    assert remedy in diagnostic.remedy


@pytest.mark.parametrize(
    ("content", "line", "column", "byte"),
    [
        ("é = 1\nx = 'é".encode() + b"\xff'\n", 2, 7, "0xff"),
        ("schema = 1\n".encode("utf-16"), 1, 1, "0xff"),
        (bytes(range(1, 256)), 2, 118, "0x80"),
        (b'x = "\xed\xa0\x80"\n', 1, 6, "0xed"),
    ],
)
def test_what_is_not_utf_8_is_reported_with_its_byte(
    tmp_path: Path, content: bytes, line: int, column: int, byte: str
) -> None:
    diagnostic = fault_of(written(tmp_path, content))

    assert (diagnostic.summary, diagnostic.detail) == ("not valid TOML", f"byte {byte} is not UTF-8")
    assert str(diagnostic.location) == f"box.toml:{line}:{column}"
    assert "UTF-8" in diagnostic.remedy


def test_a_folder_a_missing_file_and_an_impossible_name_are_reported(tmp_path: Path) -> None:
    diagnostics = [fault_of(path) for path in (tmp_path, tmp_path / "none.toml", tmp_path / "a\0.toml")]

    assert [diagnostic.summary for diagnostic in diagnostics] == ["cannot read the file"] * 3
    assert [diagnostic.detail for diagnostic in diagnostics] == [
        "it is a folder",
        "there is no such file",
        "no file name may hold a NUL character",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * DEEP + "]" * DEEP,
        "a = " + "[" * DEEPER,
        "a = " + "{a = " * DEEP + "1" + "}" * DEEP,
        "a = " + "[{a = " * DEEP + "1" + "}]" * DEEP,
        ".".join(["a"] * DEEP) + " = 1",
        ".".join(["a"] * DEEPER) + " = 1",
        "x = { 'a' . " + '"b" . ' * DEEPER + "c = 1 }",
        "[" + ".".join(["a"] * DEEP) + "]",
        "[[" + ".".join(["a"] * DEEPER) + "]]",
        "a = " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
    ],
    ids=lambda text: f"{text[:12]} {len(text)}",
)
def test_deep_nesting_is_reported(tmp_path: Path, text: str) -> None:
    diagnostic = fault_of(written(tmp_path, f"# a comment {'[' * 99}\n{text}"))

    assert diagnostic.summary == "nested too deeply"
    assert "five levels" in diagnostic.remedy
    assert str(diagnostic.location) == "box.toml"


def test_long_dotted_keys_take_no_more_than_their_length(tmp_path: Path) -> None:
    """The parser looks at each of their parts again for every key: at many long ones, for minutes."""
    began = process_time()
    text = "".join(f"{'a.' * 900}k{number} = 1\n" for number in range(500))

    assert fault_of(written(tmp_path, text)).summary == "nested too deeply"
    assert process_time() - began < 5


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1), "x = '" + "a." * DEEP + "'", "# " + "a." * DEEP],
    ids=len,
)
def test_what_only_looks_deep_is_read(tmp_path: Path, text: str) -> None:
    assert Document(written(tmp_path, text)).text == text


def test_a_number_of_thousands_of_digits_is_reported(tmp_path: Path) -> None:
    diagnostic = fault_of(written(tmp_path, "schema = 1\n[tiers.fast]\nport = " + "9" * 5_000 + "\n"))

    assert diagnostic.summary == "number out of range"
    assert str(diagnostic.location) == "box.toml"


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    document = Document(written(tmp_path, b"\xef\xbb\xbfa = 1\r\nb = '''x\r\ny'''\r\n"))

    assert document.data == {"a": 1, "b": "x\ny"}
    assert (document.location(("a",)).line, document.location(("a",)).column) == (1, 5)


def test_a_float_keeps_its_spelling(tmp_path: Path) -> None:
    assert str(Document(written(tmp_path, "a = 0.90\n")).data["a"]) == "0.90"


@pytest.mark.parametrize(
    "line",
    [
        'api-key = ["a",\n"sk-1234" x]',
        "MY_CREDENTIALS.x = '1234' x",
        "api_key_env = sk-1234",
        "HF_TOKEN=hf_1234 x",
        "router = { 'secret' = 1234 ]",
        'my-password = "1234',
        "HF_TOKEN: hf_1234",
        'api_key = "${X}1234" x',
    ],
)
def test_a_secret_in_the_wrong_place_is_not_shown(tmp_path: Path, line: str) -> None:
    diagnostic = fault_of(written(tmp_path, line + "\n"))

    assert diagnostic.location is not None
    assert "1234" not in diagnostic.location.source + diagnostic.detail + diagnostic.remedy


@pytest.mark.parametrize(
    ("text", "path", "key", "source"),
    [
        ('flags.api-key = ["sk-1",\n [1]]\n', ("flags", "api-key", 0), False, "flags.api-key = …"),
        ('flags.api-key = ["sk-1",\n [1]]\n', ("flags", "api-key", 1), False, ""),
        ("[a.token]\nx = 'sk-1'\n", ("a", "token", "x"), False, ""),
        ("[a]\ntoken = { x = 'sk-1' }\n", ("a", "token", "x"), True, "token = …"),
        ("[a]\nmax_tokens = { x = 1 }\n", ("a", "max_tokens", "x"), True, "max_tokens = { x = 1 }"),
    ],
)
def test_a_place_inside_a_secret_is_not_shown(
    tmp_path: Path, text: str, path: tuple[str | int, ...], key: bool, source: str
) -> None:
    assert Document(written(tmp_path, text)).location(path, key=key).source == source
