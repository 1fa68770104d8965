"""The flags of engines whose sources say them one by one: structs of clap, and calls of Python's argparse and typer.

`SOURCES/ENGINE` is a clone of the engine's repository, with its tags. Each is held against a second reading: the page
of its flags, or the names that its code takes from the parsed arguments.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Report = dict[str, Any]
Flags = dict[str, dict[str, Any]]

_FIELD = re.compile(
    r"(?P<attributes>(?:#\[(?:[^\[\]]|\[[^\]]*\])*\]\s*)+)(?:pub(?:\(crate\))? )?(?P<name>\w+)\s*:\s*"
    r"(?P<kind>(?:[^,\n<]|<(?:[^<>]|<[^<>]*>)*>)+),"
)
_WHOLE = r"(?:Option<)?(?:usize|[ui](?:8|16|32|64))>?"
_FRACTION = r"(?:Option<)?f(?:32|64)>?"


def clap_fields(text: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield the flags of a struct of clap, and the structs that are flattened into it, by their kinds."""
    for field in _FIELD.finditer(re.sub(r"(?m)^\s*//.*$", "", text)):
        said, name, kind = field["attributes"], field["name"], field["kind"].strip()
        if re.search(r"\bflatten\b", said):
            yield "", {}, kind
        if re.search(r"\blong\b", said):
            named = re.search(r'\blong\s*=\s*"([^"]*)"', said)
            yield named[1] if named else name.replace("_", "-"), _clap_facts(said, name, kind), kind


def _clap_facts(said: str, name: str, kind: str) -> dict[str, Any]:
    short = re.search(r"\bshort\b(?:\s*=\s*'(.)')?", said)
    aliases = [f"-{short[1] or name[0]}"] if short else []
    aliases += [f"--{alias}" for alias in re.findall(r'\balias\s*=\s*"([^"]*)"', said)]
    default = re.search(r'default_value(?:_t)?\s*=\s*(?:"([^"]*)"|([\d.]+|true|false)\s*[,)\]])', said)
    facts: dict[str, Any] = {"aliases": aliases, "default": (default[1] or default[2] or "") if default else ""}
    has_value = re.search(r"num_args|default_missing_value|ArgAction::Set\b", said) is not None
    if kind == "bool" and not has_value:
        facts["type"] = "switch"
        facts.pop("default")
    elif kind in ("bool", "Option<bool>"):
        facts |= {"choices": ["true", "false"], "bare": has_value}
    elif re.fullmatch(_WHOLE, kind):
        facts["type"] = "int"
    elif re.fullmatch(_FRACTION, kind):
        facts["type"] = "float"
    facts |= {"repeats": "Vec<" in kind}
    return {key: fact for key, fact in facts.items() if fact}


def _struct(text: str, name: str) -> str:
    start = re.search(rf"struct {name} \{{|\b{name} \{{", text)
    if start is None:
        return ""
    depth, at = 0, start.end() - 1
    for at in range(start.end() - 1, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            break
    return text[start.end() : at]


def tgi(version: str, sources: Path) -> Report:
    """Return the flags of text-generation-launcher; each is taken from the arguments by its name."""
    text = _show(sources / "tgi", f"v{version}", "launcher/src/main.rs")
    flags = {name: facts for name, facts, _ in clap_fields(_struct(text, "Args")) if name}
    taken = {name.replace("_", "-") for name in re.findall(r"\bargs\s*\.(\w+)", text)}
    return _report(flags, taken & {*flags, *taken - {"clone", "iter", "push"}})


def mistralrs(version: str, sources: Path) -> Report:
    """Return the flags of `mistralrs serve`, which its own page lists."""
    repository, tag = sources / "mistralrs", f"v{version}"
    files = _list(repository, tag, "mistralrs-cli/src/args/")
    text = "\n".join(_show(repository, tag, file) for file in files)

    def of(struct: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, facts, kind in clap_fields(_struct(text, struct)):
            if name:
                yield name, facts
            else:
                yield from of(kind)

    flags = dict(of("Serve"))
    page = _show(repository, tag, "docs/src/content/docs/reference/cli/serve.md").partition("\n## ")[0]
    rows = re.findall(r"(?m)^\| `([^`]*)`", page)
    return _report(
        flags, {word[2:] for row in rows for word in re.findall(r"--[a-z][\w-]*", row)} - {"help", "version"}
    )


def infinity(version: str, sources: Path) -> Report:
    """Return the flags of `infinity_emb v2`, whose help is on a page."""
    repository, package = sources / "infinity", "libs/infinity_emb/infinity_emb"
    tree = ast.parse(_show(repository, version, f"{package}/cli.py"))
    (function,) = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "v2"]
    flags: Flags = {}
    for argument in function.args.args:
        name, kind = argument.arg.replace("_", "-"), ast.unparse(argument.annotation or ast.Name("str")).strip("'\"")
        facts: dict[str, Any] = {"repeats": True} if kind.startswith("list") else {}
        inner = re.sub(r"^list\[(.*)\]$", r"\1", kind)
        facts |= {"type": "switch", "negations": [f"no-{name}"]} if inner == "bool" else {}
        facts |= {"type": inner} if inner in ("int", "float") else {}
        flags[name] = facts
    page = _show(repository, version, "docs/docs/cli_v2.md")
    words = {word[2:] for word in re.findall(r"(?m)^│ \*? *(--[a-z][\w-]*)", page)}
    return _report(flags, words - {"help"})


def lmdeploy(version: str, sources: Path) -> Report:
    """Return the flags of `lmdeploy serve api_server`; most are taken from the arguments by their names."""
    repository, tag = sources / "lmdeploy", f"v{version}"
    serve = ast.parse(_show(repository, tag, "lmdeploy/cli/serve.py"))
    helpers = {
        node.name: node
        for node in ast.walk(ast.parse(_show(repository, tag, "lmdeploy/cli/utils.py")))
        if isinstance(node, ast.FunctionDef)
    }
    functions = {node.name: node for node in ast.walk(serve) if isinstance(node, ast.FunctionDef)}
    flags: Flags = {}
    for call in (node for node in ast.walk(functions["add_parser_api_server"]) if isinstance(node, ast.Call)):
        called = ast.unparse(call.func)
        name = called.removeprefix("ArgumentHelper.")
        if called.endswith(".add_argument"):
            flags |= _argparse(call)
        elif name in helpers and name != called:
            inner = (node for node in ast.walk(helpers[name]) if isinstance(node, ast.Call))
            for one in (one for one in inner if ast.unparse(one.func).endswith("add_argument")):
                flags |= _argparse(one)
    readers = [functions["api_server"], *(node for name, node in helpers.items() if name.startswith("get_"))]
    taken = {name for node in readers for name in re.findall(r"\bargs\.(\w+)", ast.unparse(node))} - {"model_path"}
    taken = {name.strip("_").replace("_", "-") for name in taken}
    # Some are taken and used nowhere: the functions that add them have their names.
    return _report(flags, taken | {name.replace("_", "-") for name in helpers} & flags.keys(), abbreviations=True)


def tabbyapi(version: str, sources: Path) -> Report:
    """Return the flags of TabbyAPI on a day, as it has no releases: the fields of its configuration."""
    repository = sources / "tabbyapi"
    day = "-".join(part.zfill(2) for part in version.split("."))
    command = ["git", "-C", str(repository), "rev-list", "-1", f"--before={day}T23:59:59Z", "HEAD"]
    commit = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    classes = {
        node.name: [item for item in node.body if isinstance(item, ast.AnnAssign)]
        for node in ast.parse(_show(repository, commit, "common/config_models.py")).body
        if isinstance(node, ast.ClassDef)
    }
    flags: Flags = {}
    for section in classes["TabbyConfigModel"]:
        inner = re.sub(r"^Optional\[(.*)\]$", r"\1", ast.unparse(section.annotation))
        for field in classes.get(inner, ()):
            name = ast.unparse(field.target).replace("_", "-")
            if not name.startswith("-"):
                flags[name] = {"several": True} if re.search(r"\b[Ll]ist\[", ast.unparse(field.annotation)) else {}
    # Read a second time as lines; a section and what is in a list of one have no flags of their own.
    text = _show(repository, commit, "common/config_models.py")
    lines = re.findall(r"(?m)^    ([a-z]\w*): .*", text[text.index("class ConfigOverrideConfig") :])
    words = {name.replace("_", "-") for name in lines}
    sections = {ast.unparse(section.target) for section in classes["TabbyConfigModel"]}
    inside = {ast.unparse(field.target) for field in classes.get("LoraInstanceModel", ())}
    return _report(
        flags, words - ({name.replace("_", "-") for name in sections | inside} - flags.keys()), abbreviations=True
    )


def _argparse(call: ast.Call) -> Flags:
    """Return the flag that a call of `add_argument` adds; nothing for a word of its own."""
    words = [node.value for node in call.args if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    longs = [word for word in words if word.startswith("--")]
    if not longs:
        return {}
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    action, kind = (ast.unparse(given[key]) if key in given else "" for key in ("action", "type"))
    facts: dict[str, Any] = {"aliases": [word for word in words if word != longs[0]]}
    facts |= {"type": "switch"} if action.strip("'") in ("store_true", "store_false") else {}
    facts |= {"type": kind} if kind in ("int", "float") else {}
    facts |= {"several": True} if "nargs" in given and ast.unparse(given["nargs"]).strip("'") in "*+" else {}
    choices = given.get("choices")
    if isinstance(choices, ast.List) and all(isinstance(one, ast.Constant) for one in choices.elts):
        facts["choices"] = [str(ast.literal_eval(one)) for one in choices.elts]
    return {longs[0][2:]: {key: fact for key, fact in facts.items() if fact}}


def _report(flags: Flags, counted: set[str], *, abbreviations: bool = False) -> Report:
    """Return the flags, held against another reading of their names."""
    known = {name: {name, *(word.lstrip("-") for word in facts.get("aliases", ()))} for name, facts in flags.items()}
    problems = [f"only captured: {name}" for name, spellings in sorted(known.items()) if not spellings & counted]
    problems += [f"only counted: {name}" for name in sorted(counted - set().union(*known.values()))]
    return {"flags": flags, "counted": len(counted), "problems": problems, "abbreviations": abbreviations}


def _show(repository: Path, tag: str, path: str) -> str:
    command = ["git", "-C", str(repository), "show", f"{tag}:{path}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _list(repository: Path, tag: str, folder: str) -> list[str]:
    command = ["git", "-C", str(repository), "ls-tree", "-r", "--name-only", tag, folder]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


READERS: dict[str, Callable[[str, Path], Report]] = {
    "tgi": tgi,
    "mistralrs": mistralrs,
    "infinity": infinity,
    "lmdeploy": lmdeploy,
    "tabbyapi": tabbyapi,
}
