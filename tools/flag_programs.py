"""The flags of engines that are no Python: from a program's help, by asking the program, and from sources.

- llama.cpp: `SOURCES/llamacpp/bN/` holds the build's `llama-server`, or `common/arg.cpp` and the server's README.md.
- TEI and Ollama: `SOURCES/tei` and `SOURCES/ollama` are clones of their repositories, with their tags.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Report = dict[str, Any]

_HELP_LINE = re.compile(r"(?P<names>-[\w.-]+(?:, +-[\w.-]+)*)(?: (?P<value>\S.*))?")
_OPTION = re.compile(r"--?[A-Za-z][\w.-]*")
_REMOVED = re.compile(r"the argument has been removed\. (?P<instead>[^(]*)")
_DEPRECATED = re.compile(r"DEPRECATED in favor of `--(?P<use>[\w-]+)`")
_IGNORED = ("help", "usage", "version", "completion-bash", "cache-list", "license", "list-devices")


def llamacpp(version: str, sources: Path) -> Report:
    """Return the flags of one build of llama-server."""
    folder = sources / "llamacpp" / version
    program = next(folder.rglob("llama-server"), None)
    flags = dict(_from_help(program) if program else _from_source((folder / "arg.cpp").read_text("utf-8")))
    counted = _completed(program) if program else _in_readme((folder / "README.md").read_text("utf-8"))
    replaced = {name: flag.pop("instead") for name, flag in flags.items() if "instead" in flag}
    spellings = {name: {name, *_words(flag)} for name, flag in flags.items()}
    # The README is written from the program, and may be older than its source.
    lacking = [f"only captured: {name}" for name, names in spellings.items() if program and not names & counted]
    problems = lacking + [f"only counted: {name}" for name in sorted(counted - set().union(*spellings.values()))]
    removed = {spelling: text for name, text in replaced.items() for spelling in spellings[name]}
    flags = {name: flag for name, flag in flags.items() if name not in replaced}
    found = sum(1 for names in spellings.values() if names & counted) - len(replaced)
    return {"flags": flags, "counted": found, "problems": problems, "replaced": removed, "abbreviations": False}


def _words(flag: dict[str, Any]) -> list[str]:
    return [*(word.lstrip("-") for word in flag.get("aliases", ())), *flag.get("negations", ())]


def _ask(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "LD_LIBRARY_PATH": str(program.parent)},
    )


def _from_help(program: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each flag of the help; what its value may be is asked of the program."""
    entries: list[tuple[str, str]] = []
    for line in _ask(program, "--help").stdout.splitlines():
        if line.startswith("-") and not line.startswith("-----"):
            head, _, text = line.partition("  " if line[38:40] == "  " else "\n")
            head, text = (line[:40].rstrip(), line[40:]) if line[38:40] == "  " else (line, "")
            entries.append((head, text))
        elif entries and line.startswith(" " * 40):
            entries[-1] = (entries[-1][0], f"{entries[-1][1]} {line.strip()}")
    for head, text in entries:
        match = _HELP_LINE.match(re.sub(r",\s+-", ", -", head))
        if match is not None:
            yield from _definition(re.findall(_OPTION, match["names"]), match["value"] or "", text, _probe(program))


def _probe(program: Path) -> Callable[[str, str], bool]:
    def accepts(option: str, value: str) -> bool:
        return _ask(program, option, value, "--help").returncode == 0

    return accepts


def _definition(
    options: list[str], value: str, text: str, accepts: Callable[[str, str], bool]
) -> Iterator[tuple[str, dict[str, Any]]]:
    negations = [] if value else [option for option in options if re.match("--?no-|-n(?=dio|kvo|cb)", option)]
    positive = [option for option in options if option not in negations] or options
    longs = [option for option in positive if option.startswith("--")] or positive
    name = longs[-1].lstrip("-")
    if name in _IGNORED:
        return
    facts: dict[str, Any] = {} if value else {"type": "switch"}
    facts |= {"aliases": [option for option in positive if option != longs[-1]]}
    facts |= {"negations": [option[2:] for option in negations if option.startswith("--") and option not in positive]}
    choices = value[1:-1].split(",") if value.startswith("{") and value.endswith("}") else []
    if choices and not accepts(longs[-1], "zzz") and all(accepts(longs[-1], choice) for choice in choices):
        facts["choices"] = choices
    # Ranges, lists and masks of numbers are named otherwise.
    if value == "N" and accepts(longs[-1], "1") and not accepts(longs[-1], "zzz"):
        facts |= {"type": "float", "words": [word for word in ("auto", "all", "none") if accepts(longs[-1], word)]}
    facts |= {"repeats": bool(value)}
    removed, deprecated = _REMOVED.search(text), _DEPRECATED.search(text)
    if removed is not None:
        facts["instead"] = re.sub(r"\s+", " ", removed["instead"]).replace("use ", "write ").replace("--", "").strip()
    if deprecated is not None or "DEPRECATED" in text or "(deprecated)" in text:
        facts |= {"deprecated": True, "use": deprecated["use"] if deprecated else ""}
    yield name, {key: fact for key, fact in facts.items() if fact}


def _completed(program: Path) -> set[str]:
    """Return the options of the completion that the program writes for bash."""
    match = re.search(r'opts="([^"]*)"', _ask(program, "--completion-bash").stdout)
    words = match[1].split() if match else []
    return {word[2:] for word in words if word.startswith("--")} - {*_IGNORED}


def _from_source(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each option of `common/arg.cpp` that llama-server has."""
    for block in re.sub(r"(?m)^\s*//.*$", "", text).split("add_opt(common_arg(")[1:]:
        examples = re.search(r"\.set_examples\(\{([^}]*)\}", block)
        if examples and not re.search("LLAMA_EXAMPLE_(SERVER|COMMON)", examples[1]):
            continue
        if re.search(r"\.set_excludes\(\{[^}]*LLAMA_EXAMPLE_SERVER", block):
            continue
        lists = re.match(r"\s*\{([^}]*)\},\s*(?:\{([^}]*)\},\s*)?", block)
        handler = re.search(r"\[[^\]]*\]\s*\(common_params & ?\w*(?P<value>[^)]*)\)", block)
        if lists is None or handler is None:
            continue
        options = [option for group in lists.groups() if group for option in re.findall(_OPTION, group)]
        takes = handler["value"].strip(", ")
        hint = re.match(r'"([^"]*)"', block[lists.end() :])
        value = "" if not takes or takes.startswith("bool") else (hint[1] if hint else "VALUE")
        help_text = " ".join(re.findall(r'"((?:[^"\\]|\\.)*)"', block))
        yield from _definition(options, value, help_text, _read(block, takes))


def _read(block: str, takes: str) -> Callable[[str, str], bool]:
    """Return what an option's code takes: `zzz` unless it reads a number or throws, a word that it compares with."""
    is_strict = takes.startswith("int") or "std::sto" in block or "throw" in block

    def accepts(_option: str, value: str) -> bool:
        if value.isalpha() and (takes.startswith("int") or "std::sto" in block):
            return f'== "{value}"' in block
        return value != "zzz" or not is_strict

    return accepts


def _in_readme(text: str) -> set[str]:
    """Return the options of the tables in the server's README."""
    rows = re.findall(r"^\| `(-[^`]*)`", text, re.MULTILINE)
    heads = [_HELP_LINE.match(re.sub(r",\s+-", ", -", row)) for row in rows]
    words = {option for head in heads if head for option in re.findall(_OPTION, head["names"])}
    return {word[2:] for word in words if word.startswith("--")} - {*_IGNORED}


def tei(version: str, sources: Path) -> Report:
    """Return the flags of text-embeddings-router: the fields of its clap struct."""
    text = _at_tag(sources / "tei", version, "router/src/main.rs")
    struct = text[text.index("struct Args {") : text.index("\n}", text.index("struct Args {")) + 1]
    flags = {}
    for block, name, kind in re.findall(r"((?:#\[[^\n]*\]\s*)+)(\w+): ([^\n]+),\n", struct):
        default = re.search(r'default_value = "([^"]*)"', block)
        has_value = "num_args" in block
        facts: dict[str, Any] = {}
        if kind == "bool" and not has_value:
            facts["type"] = "switch"
        elif kind == "bool":
            facts |= {"choices": ["true", "false"], "bare": True}
        elif re.fullmatch(r"(?:Option<)?(?:usize|u16|u32)>?", kind):
            facts["type"] = "int"
        facts |= {"repeats": True} if "Vec<" in kind else {}
        facts |= {"default": default[1]} if default else {}
        facts |= {"deprecated": True} if "hide" in block else {}
        flags[name.replace("_", "-")] = facts
    used = {name.replace("_", "-") for name in re.findall(r"\bargs\s*\.(\w+)", text[text.index("fn main") :])}
    problems = [f"only captured: {name}" for name in sorted(flags.keys() - used)]
    problems += [f"only counted: {name}" for name in sorted(used - flags.keys())]
    return {"flags": flags, "counted": len(used), "problems": problems, "abbreviations": False}


def ollama(version: str, sources: Path) -> Report:
    """Return the variables that Ollama's server reads: the calls of its reader."""
    text = _at_tag(sources / "ollama", version, "envconfig/config.go")
    calls = re.findall(
        r'\b(Var|Bool|BoolWithDefault|String|Uint|Uint64|Getenv|LookupEnv)\("((?:OLLAMA|LLAMA)_\w+)"', text
    )
    kinds = {"Uint": "int", "Uint64": "int"}
    variables = {name: {"type": kinds[reader]} if reader in kinds else {} for reader, name in sorted(calls, key=str)}
    listed = set(re.findall(r'"(OLLAMA_\w+|LLAMA_\w+)"', text))
    problems = [f"only counted: {name}" for name in sorted(listed - variables.keys())]
    return {
        "flags": {},
        "variables": variables,
        "counted": len(listed),
        "problems": problems,
        "abbreviations": False,
    }


def _at_tag(repository: Path, version: str, path: str) -> str:
    return subprocess.run(
        ["git", "-C", repository, "show", f"v{version}:{path}"], check=True, capture_output=True, text=True
    ).stdout


PROGRAMS: dict[str, Callable[[str, Path], Report]] = {"llamacpp": llamacpp, "tei": tei, "ollama": ollama}
