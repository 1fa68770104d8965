"""Print the flags of a Python engine's real parser as JSON: `dump_parser.py ENGINE SOURCE`, in a process of its own.

The types are found by asking: each flag's own converter is given words, and what it takes says what it is.
"""

from __future__ import annotations

import argparse
import dataclasses
import enum
import json
import sys
from collections.abc import Iterator
from typing import Any

import import_stubs

_PROBES = {"int": "7", "float": "0.5", "size": "64k", "json": '{"a":1}', "pairs": "a=1", "text": "x_y"}
_WORDS = ("auto", "all", "none", "max")


def _pretend_cuda(platforms: Any) -> None:
    platforms.resolve_current_platform_cls_qualname = lambda: "vllm.platforms.cuda.CudaPlatform"


def _write_schemas(operators: Any) -> None:
    operators.infer_schema = lambda *_arguments, **_named: "(Tensor x) -> Tensor"
    operators.IrOpInplaceOverload = lambda _operator: None


def _register_nothing(utilities: Any) -> None:
    utilities.direct_register_custom_op = lambda *_arguments, **_named: None


_PATCHES = {
    "sglang.srt.utils": _register_nothing,
    "sglang.srt.utils.common": _register_nothing,
    "vllm.platforms": _pretend_cuda,
    "vllm.ir.op": _write_schemas,
}


def real_parser(engine: str, source: str) -> tuple[argparse.ArgumentParser, Any, Any]:
    """Return an engine's own parser, what of its modules failed, and what was replaced by stubs."""
    sys.path.insert(0, source)
    sys.argv = [engine, "--help"]  # vLLM leaves parts out without the word, and others with it after "serve"
    watch, stubs = import_stubs.install(engine, _PATCHES)
    return {"vllm": _vllm, "sglang": _sglang}[engine](), watch, stubs


def main() -> None:
    """Print one JSON object: flags by main name, whether prefixes are taken, and what could not be resolved."""
    engine, source = sys.argv[1:]
    answer, sys.stdout = sys.stdout, sys.stderr  # an engine that is imported may log
    parser, watch, stubs = real_parser(engine, source)
    report = {
        "flags": dict(_flags(parser, _classes(engine))),
        "abbreviations": _takes_abbreviations(parser),
        "failed": watch.failed,
        "missing": sorted(stubs.missing),
        "stubbed": sorted(stubs.stubbed),
    }
    answer.write(json.dumps(report))


def _vllm() -> argparse.ArgumentParser:
    from vllm.entrypoints.cli.serve import cmd_init  # noqa: PLC0415

    sys.argv = ["vllm"]
    serve = cmd_init()[0]
    module = sys.modules[type(serve).__module__]
    parser: argparse.ArgumentParser = serve.subparser_init(module.FlexibleArgumentParser().add_subparsers())
    return parser


def _sglang() -> argparse.ArgumentParser:
    import huggingface_hub.dataclasses  # noqa: PLC0415

    huggingface_hub.dataclasses.strict = lambda cls: cls  # it wants the real base classes of transformers
    from sglang.srt.server_args import ServerArgs  # noqa: PLC0415

    parser = argparse.ArgumentParser()
    ServerArgs.add_cli_args(parser)
    return parser


def _classes(engine: str) -> dict[str, Any]:
    """Return the classes that an engine makes of JSON only later, by flag."""
    if engine != "vllm":
        return {}
    from vllm import config  # noqa: PLC0415

    return {"speculative-config": config.SpeculativeConfig}


def _flags(parser: argparse.ArgumentParser, classes: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    by_action: dict[int, tuple[argparse.Action, list[str]]] = {}
    for option, action in parser._option_string_actions.items():
        by_action.setdefault(id(action), (action, []))[1].append(option)
    deprecated = {id(action) for action in getattr(parser, "_deprecated", ())}
    for action, options in by_action.values():
        if action.dest in ("help", "version"):
            continue
        name, definition = _definition(action, options)
        if name in classes:
            definition |= {"type": "json", "keys": sorted(_keys(classes[name]))}
        if id(action) in deprecated or type(action).__name__.startswith("Deprecated"):
            definition["deprecated"] = True
        yield name, definition


def _definition(action: argparse.Action, options: list[str]) -> tuple[str, dict[str, Any]]:
    negations = [option for option in options if _is_negation(action, option)]
    positive = [option for option in options if option not in negations] or options
    longs = [option for option in positive if option.startswith("--")] or positive
    taken = _taken(action)
    keys = _json_keys(action)
    default = _plain(action.default)
    several = action.nargs in ("+", "*") or (isinstance(action.nargs, int) and action.nargs > 1)
    facts = {
        "type": "json" if keys else _type(action, taken),
        "words": [word for word in _WORDS if word in taken and "text" not in taken],
        "choices": [str(_plain(choice)) for choice in action.choices or ()],
        "default": None if default is argparse.SUPPRESS or (action.nargs == 0 and default is False) else default,
        "aliases": [option for option in positive if option != longs[0]],
        "negations": [option.lstrip("-") for option in negations],
        "several": several,
        "repeats": "Append" in type(action).__name__,
        "bare": action.nargs in ("?", "*"),
        "keys": keys,
        "use": str(getattr(action, "new_flag", None) or ""),
    }
    plain = {key: value for key, value in facts.items() if value not in (None, "", False, [], {}, "text") or value == 0}
    return longs[0].lstrip("-"), {key: value for key, value in plain.items() if value is not False or key == "default"}


def _is_negation(action: argparse.Action, option: str) -> bool:
    """Ask a two-sided switch what an option sets."""
    if not isinstance(action, argparse.BooleanOptionalAction):
        return False
    space = argparse.Namespace()
    action(argparse.ArgumentParser(), space, None, option)
    return getattr(space, action.dest) is False


def _taken(action: argparse.Action) -> set[str]:
    """Return the kinds of words, and the words, that a flag's own converter takes."""
    if action.nargs == 0 or action.type is None:
        return set()
    kinds = {kind for kind, word in _PROBES.items() if _takes(action.type, word)}
    return kinds | {word for word in _WORDS if _takes(action.type, word)}


def _type(action: argparse.Action, taken: set[str]) -> str:
    if action.nargs == 0:
        return "switch"
    if "text" in taken or "pairs" in taken:
        return "text"
    return next((kind for kind in ("json", "size", "float", "int") if kind in taken), "text")


def _json_keys(action: argparse.Action) -> list[str]:
    """Return the keys of a flag's JSON, where its converter makes a dataclass of it that refuses others."""
    dataclass = _dataclass_of(action.type)
    if dataclass is None or _takes(action.type, '{"no_such_key_x": 1}'):
        return []
    return sorted(_keys(dataclass))


def _takes(convert: Any, word: str) -> bool:
    try:
        convert(word)
    except (argparse.ArgumentTypeError, AttributeError, LookupError, TypeError, ValueError):
        return False
    return True


def _dataclass_of(value: Any, depth: int = 0) -> Any:
    """Return the dataclass that a converter makes of its JSON: in its defaults or in what it closes over."""
    if isinstance(value, type):
        return value if dataclasses.is_dataclass(value) else None
    if depth > 4 or not callable(value):
        return None
    owner = getattr(value, "__self__", None)
    inside = [owner, *(getattr(value, "__defaults__", None) or ())]
    inside += [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
    return next((found for item in inside if (found := _dataclass_of(item, depth + 1))), None)


def _keys(dataclass: Any) -> Iterator[str]:
    for field in dataclasses.fields(dataclass):
        extra = getattr(field.default, "init", None)  # pydantic's Field(init=False)
        if field.init and extra is not False:
            if not field.name.startswith("_"):
                yield field.name
            alias = getattr(field.default, "validation_alias", None) or getattr(field.default, "alias", None)
            if isinstance(alias, str):
                yield alias


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if dataclasses.is_dataclass(value) or callable(value):
        return None
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, str | int | float | bool) else None


def _takes_abbreviations(parser: argparse.ArgumentParser) -> bool:
    """Ask the parser whether it takes the beginning of a flag for the flag."""
    flag = max(parser._option_string_actions, key=len)
    return bool(parser.allow_abbrev) and bool(parser._get_option_tuples(flag[:-1]))


if __name__ == "__main__":
    main()
