"""Texts that break careless writers of YAML, TOML and shell lines; and where an inventory takes text."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from itertools import chain, count
from typing import Any, NamedTuple

from anvil_gen.host_paths import is_absolute
from anvil_gen.inventory.json_schema import inventory_schema
from anvil_gen.inventory.schema_own_keys import OWN_KEYS
from anvil_gen.text.interpolation import looks_interpolated

# fmt: off
HOSTILE = [
    " ", "  lead", "trail  ", "'", '"', "''", '""', "it's", 'say "x"', "#", "#x", "a # b", "a#b", "a: b", ": ",
    "a:", ":a", ":", "-", "- a", "--", "---", "...", "-1", "?", "? a", "*a", "&a", "!a", "!!str a", "|", ">",
    "|-", "%", "%a", "%s%d", "@", "@a", "`", "`id`", "{{ x }}", "{% raw %}", "{# x #}", "{a}", "{", "}", "[a]",
    "[", "]", "a,b", ",", "$", "$$", "$$$", "${X}", "$X", "${X:-y}", "$${X}", "$(id)", "a$", "${", "$}", "a\tb",
    "\t", "a\nb", "\n", "a\n", "\na", "a\n\nb", "a\r\nb", "\r", "a\rb", "a\\b", "\\", "\\n", "\\\\", "\\x41",
    "\\u0041", "a\x85b", "\x85", "a\u2028b", "\u2029", "\ufeff", "\ufeffa", "a\xa0b", "\x01", "\x07",
    "\x1b[31m", "\x7f", "\x9f", "é", "ß", "日本語", "\u0645\u0631\u062d\u0628\u0627", "😀",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\U0010fffd", "\ufffd", "\ufffe", "\uffff", "y", "Y", "n",
    "yes", "No", "on", "OFF", "true", "False", "null", "Null", "~", "NaN", ".nan", ".inf", "-.inf", ".Inf",
    "inf", "<<", "=", "012", "0o14", "0x1F", "0b1", "1_000", "1e3", "1.", ".5", "+1", "190:20:30", "12:30",
    "1:2", "2024-01-01", "2024-01-01T00:00:00Z", "12e03", "0", "-0", "a=b", "--x=y", "a;b", "a|b", "a&b",
    "a<b>c", "(a", "a)", "a b", "*", "~/x", "./x", "a'b\"c`d$e\\f#g: h", "' OR 1", '" ]\n- x: y\n#',
    "x" * 10_000, '"' * 500, "$" * 501, "\\" * 501, "é " * 2_000,
]
# fmt: on
_DEFAULT, _IMAGE = r"^[^{}\x00\r\n]*$(?!\n)", r"^[^{}\s\x00@]+$(?!\n)"
_PROBE = "/#'$\""


NOT_DRIVEN = {
    "host.output": "a folder of this machine: test_portability.py",
    "extra_arguments": "a variable: test_variables.py",
    "draft_model.path": "no shipped engine takes a draft by its folder",
    **dict.fromkeys(("bind", "router.bind", "experiment.bind"), "an IP address"),
    **dict.fromkeys(("gpus[]", "experiment.gpu"), "names a card"),
    **dict.fromkeys(("modes.*.tiers[]", "modes.*.aliases.*", "router.aliases.*"), "names a tier"),
    "router.default_tier": "names a tier",
    "host.project_directory": "a folder: test_project_directory.py",
    "modes.*.services[]": "names a service",
    "host.ca_file": "a file of the host: test_way_out.py",
    "monitoring.bind": "an IP address",
    "monitoring.textfile": "a folder of the host, mounted as those of `mounts` are",
    **{f"monitoring.{name}_image": "an image's name" for name in ("prometheus", "grafana", "host")},
    **{key: "Compose's own key, written as `labels` is" for key in OWN_KEYS if key != "labels"},
    **{
        f"{table}networks.*.{key}": "an address"
        for table in ("", "router.")
        for key in ("ipv4_address", "ipv6_address", "link_local_ips[]")
    },
    "router.hosts_ca": "the router of these boxes sends to no other host: test_peers.py",
    "links.*.address": "an IP address",
    **{
        f"{target}.{key}": "no file of Compose has it: test_kubernetes.py, test_quadlet.py"
        for target in ("kubernetes", "quadlet")
        for key in ("without[]", "models_path", "router_image")
    },
    **dict.fromkeys(("router.tls.certificate", "router.tls.key"), "the router of these boxes has none: test_cfg.py"),
}
"""Text that is not free, though no pattern says so: what it is. A tier's without its table's name."""


class Text(NamedTuple):
    """A place of the inventory that takes text; ``tiers.*.lora.<name>`` is a key that its author chooses."""

    address: str
    pattern: str | None
    longest: int | None
    shortest: int

    def takes(self, value: str) -> bool:
        """Tell whether the schema accepts a value here."""
        fits = self.pattern is None or re.search(self.pattern, value) is not None
        return fits and self.shortest <= len(value) and (self.longest is None or len(value) <= self.longest)


def texts() -> dict[str, Text]:
    """Return every place whose text is free, by address: those whose pattern lets quotes and `$` through."""
    schema = inventory_schema()
    found = {text.address: text for text in _texts(schema, schema["$defs"], "")}
    return {address: text for address, text in found.items() if text.pattern is None or re.search(text.pattern, _PROBE)}


def _texts(schema: Mapping[str, Any], known: Mapping[str, Any], address: str) -> Iterator[Text]:
    if "$ref" in schema:
        yield from _texts(known[schema["$ref"].rpartition("/")[2]], known, address)
        return
    if "enum" in schema or "const" in schema:
        return
    kind = schema.get("type")
    if kind == "string" or (kind is None and "anyOf" not in schema):  # without a type it is anything
        yield Text(address, schema.get("pattern"), schema.get("maxLength"), schema.get("minLength", 0))
    for choice in schema.get("anyOf", ()):
        yield from _default(address) if _is_variable(choice) else _texts(choice, known, address)
    for key, option in schema.get("properties", {}).items():
        yield from _texts(option, known, f"{address}.{key}".lstrip("."))
    if kind == "object" and "properties" not in schema:
        if "propertyNames" in schema:
            yield from _texts({"type": "string", **schema["propertyNames"]}, known, f"{address}.<name>")
        yield from _texts(schema.get("additionalProperties", {}), known, f"{address}.*")
    if "items" in schema:
        yield from _texts(schema["items"], known, f"{address}[]")


def _is_variable(schema: Mapping[str, Any]) -> bool:
    return bool(schema.get("$ref", "").endswith("/EnvTable"))


def _default(address: str) -> Iterator[Text]:
    """Yield the default of a variable, for two kinds of fields: all others are written the same way."""
    if address.endswith((".image", ".environment.*")):
        yield Text(f"{address}.default", _IMAGE if address.endswith(".image") else _DEFAULT, None, 0)


def endless(seed: int) -> Iterator[str]:
    """Yield the hostile texts, each in turn from a place that ``seed`` names, and then random ones without end."""
    start = seed * 29 % len(HOSTILE)
    return chain(HOSTILE[start:], HOSTILE[:start], (random_text(random.Random(f"{seed} {n}")) for n in count()))


def random_text(chance: random.Random) -> str:
    """Return a short text of characters of all planes, half of them such as mean something to a reader."""
    length = chance.choice((1, 2, 3, 5, 8, 13, 21))
    return "".join(chance.choice(_MEANING) if chance.random() < 0.5 else _character(chance) for _ in range(length))


_MEANING = "\"'#:$ {}[]%&*!|>-?@`,=~\\/\t\n\r\x85\u2028\ufeff<0.y"


def _character(chance: random.Random) -> str:
    highest = chance.choice((0x7F, 0xFF, 0x2FFF, 0xFFFF, 0x10FFFF))
    code = chance.randint(1, highest)
    return "x" if 0xD800 <= code <= 0xDFFF else chr(code)


def is_name(value: str) -> bool:
    """Tell whether a text is the name of a folder: the tests of paths have the rest."""
    return not {"/", "\\"} & set(value) and value not in (".", "..") and value[1:2] != ":" and not is_absolute(value)


def is_file_name(value: str) -> bool:
    """Tell whether this machine can hold a file of that name that is not hidden."""
    return is_name(value) and not value.startswith(".") and len(value.encode()) <= 200


def is_image(value: str) -> bool:
    """Tell whether a text may be an image's name, which has no capitals."""
    return value == value.lower()


def is_key(value: str) -> bool:
    """Tell whether a text, with a number after it, is a key: Compose takes what starts with `x-` for an extension."""
    return len(value) < 90 and not value.startswith("x-")


def own(value: str) -> Any:
    """Return a text as Compose's own keys take it: what looks like a variable is marked as the text that it is."""
    return {"interpolate": value.replace("$", "$$")} if looks_interpolated(value) else value


def toml(value: Any) -> str:
    """Return a value as TOML, with everything escaped that could be."""
    if isinstance(value, str):
        return (
            '"' + "".join(char if char.isascii() and char.isalnum() else f"\\U{ord(char):08x}" for char in value) + '"'
        )
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return str(value).lower()
