"""Count an engine's flags without running it: names written in its source, by `ast`.

It knows nothing of the parser that `dump_parser.py` asks, so a flag that one of the two lacks is a mistake of either.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path


def counted(engine: str, source: Path) -> set[str]:
    """Return the flags that the source writes out, without their dashes."""
    return set({"vllm": _vllm, "sglang": _sglang}[engine](source / engine))


def _vllm(package: Path) -> Iterator[str]:
    yield from _literals(package / "engine/arg_utils.py", {"EngineArgs", "AsyncEngineArgs"})
    yield from _literals(package / "entrypoints/cli/serve.py")
    (parser,) = [
        file for file in (package / "entrypoints").rglob("cli_args.py") if "def make_arg_parser" in _text(file)
    ]
    yield from _literals(parser, {"make_arg_parser"})
    yield from (name.replace("_", "-") for name in _fields(parser, "FrontendArgs"))


def _sglang(package: Path) -> Iterator[str]:
    yield from _literals(package / "srt/server_args.py", {"ServerArgs"})
    groups = package / "srt/arg_groups/fields"
    files = [package / "srt/server_args.py", *(sorted(groups.glob("*.py")) if groups.is_dir() else ())]
    for file in files:
        for name, annotation in _annotated(file):
            if annotation is not None and _is_flag(annotation):
                yield from _names_of(name, annotation)


def _text(file: Path) -> str:
    return file.read_text("utf-8")


def _literals(file: Path, inside: Iterable[str] = ()) -> Iterator[str]:
    """Yield the flags of each `add_argument("--x")`, of some classes and functions or of the whole file."""
    tree = ast.parse(_text(file))
    names = set(inside)
    roots = [node for node in tree.body if getattr(node, "name", None) in names] if names else [tree]
    for node in (node for root in roots for node in ast.walk(root)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            yield from (word.lstrip("-") for word in list(_strings(node.args))[:1] if word.startswith("--"))
        if isinstance(node, ast.For):  # over (flag, type) pairs that are written out
            tuples = [item.elts for item in getattr(node.iter, "elts", ()) if isinstance(item, ast.Tuple)]
            yield from (word.lstrip("-") for item in tuples for word in _strings(item[:1]) if word.startswith("--"))


def _strings(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _fields(file: Path, ending: str) -> Iterator[str]:
    """Yield the fields of the classes whose name ends so."""
    for node in ast.parse(_text(file)).body:
        for item in node.body if isinstance(node, ast.ClassDef) and node.name.endswith(ending) else ():
            if isinstance(item, ast.AnnAssign) and "ClassVar" not in ast.unparse(item.annotation):
                yield ast.unparse(item.target)


def _annotated(file: Path) -> Iterator[tuple[str, ast.Subscript | None]]:
    """Yield the fields whose annotation is `A[...]`, which become flags by themselves."""
    for node in ast.parse(_text(file)).body:
        for item in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                annotation = item.annotation
                yield item.target.id, annotation if isinstance(annotation, ast.Subscript) else None


def _is_flag(annotation: ast.Subscript) -> bool:
    """Return whether it is `A[type, help or Arg(...)]`, and not said to be none of the command line."""
    if ast.unparse(annotation.value) != "A" or not isinstance(annotation.slice, ast.Tuple):
        return False
    said = [ast.unparse(item) for item in annotation.slice.elts[1:]]
    return any(text[:1] in "'\"f(" or text.startswith("Arg(") for text in said) and not any(
        "no_cli=True" in text for text in said
    )


def _names_of(name: str, annotation: ast.AST) -> Iterator[str]:
    written = [
        word
        for node in ast.walk(annotation)
        if isinstance(node, ast.keyword) and node.arg == "cli_name"
        for word in _strings([node.value])
    ]
    yield written[0].lstrip("-") if written else name.replace("_", "-")
