"""Machines whose inventories hold strange texts wherever text may stand, each with where Compose must show it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from strange_values import endless, is_file_name, is_image, is_key, is_name, own, texts, toml

Table = dict[str, Any]
Config = Mapping[str, Any]


class Box:
    """One inventory, and what it should come to: ``expected`` has a name, a value, and how to find it."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Start a fleet with one inventory in ``folder``."""
        self.folder = folder
        self.tables: dict[str, Table] = {
            "host": {"project": "anvil-box"},
            "paths": {"models": "/srv/models"},
            "hfcache": {"path": "/srv/hub"},
            "tiers": {},
            "defaults": {},
            "router": {"kind": "anvil", "aliases": {}},  # it takes any name
        }
        self.main: list[tuple[str, str, Callable[[Config], Any]]] = []
        self.slot: list[tuple[str, str, Callable[[Config], Any]]] = []
        self.router: list[tuple[str, str, Callable[[Config], Any]]] = []
        self.mode: list[tuple[str, str, Callable[[Config], Any]]] = []
        self.driven: set[str] = set()
        self._places = texts()
        self._values = {address: endless(seed + number) for number, address in enumerate(self._places)}
        (folder / "hosts").mkdir(parents=True)

    def take(self, address: str, fits: Callable[[str], bool] = lambda _: True) -> str:
        """Return the next text for a place."""
        self.driven.add(address)
        place = self._places[address]
        return next(value for value in self._values[address] if place.takes(value) and fits(value))

    def write(self) -> Path:
        """Write the inventory, and return its path."""
        path = self.folder / "hosts" / "box.toml"
        lines = [f"{name} = {toml(table)}" for name, table in self.tables.items()]
        path.write_text("\n".join(["schema = 1", *lines, ""]), "utf-8")
        return path

    def tier(self, engine: str, *, place: str = "tiers.*") -> tuple[str, Table]:
        """Add a tier; return its name, and the table for its texts: its own, or the one for all tiers."""
        name = f"t{len(self.tables['tiers'])}"
        own: Table = {"engine": engine, "port": 20000 + len(self.tables["tiers"])}
        self.tables["tiers"][name] = own
        return name, own if place == "tiers.*" else self.tables["defaults"]


def of(name: str, *path: str) -> Callable[[Config], Any]:
    """Return what finds a value of a service."""

    def found(config: Config) -> Any:
        value: Any = config["services"][name]
        for key in path:
            value = value[key]
        return value

    return found


def argument(name: str, flag: str) -> Callable[[Config], Any]:
    """Return what finds the value of a ``--flag=value``."""

    def found(config: Config) -> Any:
        given = [word for word in config["services"][name]["command"] if word.startswith(f"{flag}=")]
        return given[0].removeprefix(f"{flag}=") if len(given) == 1 else given

    return found


def after(name: str, flag: str, place: int = 1) -> Callable[[Config], Any]:
    """Return what finds the ``place``-th word after a flag."""

    def found(config: Config) -> Any:
        command = config["services"][name]["command"]
        return command[command.index(flag) + place]

    return found


def mount(name: str, target: str) -> Callable[[Config], Any]:
    """Return what finds the source of a mount."""

    def found(config: Config) -> Any:
        sources = [item["source"] for item in config["services"][name]["volumes"] if item["target"] == target]
        return sources[0] if len(sources) == 1 else sources

    return found


def many(box: Box, amount: int, *, place: str = "tiers.*") -> None:
    """Add a tier with ``amount`` texts in each of its tables of variables, flags and labels."""
    name, table = box.tier("vllm", place=place)
    table.setdefault("model", {"path": "m"})
    table["environment"], table["flags"] = {}, {"x-list": [], "x-table": {}}
    table["flag_check"] = False  # No engine has these flags.
    default = box.take(f"{place}.environment.*.default")
    table["flags"]["x-env"] = {"env": "X", "default": default}
    table["override"] = {"labels": {"env": {"env": "X", "default": default}}}
    value = box.take(f"{place}.labels")
    table["labels"] = {"own": own(value)}
    box.main.append((f"{place}.labels", value, of(name, "labels", "own")))
    box.main.append((f"{place}.flags.* with a default", default, argument(name, "--x-env")))
    box.main.append((f"{place}.override.* with a default", default, of(name, "labels", "env")))
    for number in range(amount):
        key = f"{box.take(f'{place}.environment.<name>', is_key)}{number}"
        value = box.take(f"{place}.environment.*")
        table["environment"][key] = own(value)
        box.main.append((f"{place}.environment.*", value, of(name, "environment", key)))
        box.main.append((f"{place}.environment.<name>", key, _key(of(name, "environment"), key)))
        value = box.take(f"{place}.flags.*")
        table["flags"][f"x-{number}"] = value
        box.main.append((f"{place}.flags.*", value, argument(name, f"--x-{number}")))
        value = box.take(f"{place}.flags.*")
        table["flags"]["x-list"].append(value)
        box.main.append((f"{place}.flags.* in a list", value, after(name, "--x-list", number + 1)))
        value = box.take(f"{place}.flags.*", lambda value: value not in ("env", "default"))
        table["flags"]["x-table"][f"{value}{number}"] = value
        box.main.append(
            (f"{place}.flags.* in a table", value, _in_json(argument(name, "--x-table"), f"{value}{number}"))
        )
        value = box.take(f"{place}.override.*", lambda value: not value.startswith("x-"))
        table["override"]["labels"][f"{value[:80]}{number}"] = own(value)
        box.main.append((f"{place}.override.*", value, of(name, "labels", f"{value[:80]}{number}")))


def _key(table: Callable[[Config], Any], key: str) -> Callable[[Config], Any]:
    return lambda config: next((found for found in table(config) if found == key), None)


def _in_json(text: Callable[[Config], Any], key: str) -> Callable[[Config], Any]:
    return lambda config: json.loads(text(config)).get(key)


def custom(box: Box, amount: int, *, place: str = "tiers.*") -> None:
    """Add a tier of Compose's own keys, with ``amount`` texts in each list."""
    name, table = box.tier("custom", place=place)
    box.tables["tiers"][name]["image"] = "x"
    for key in ("entrypoint", "command"):
        table[key] = [box.take(f"{place}.{key}[]") for _ in range(amount)]
        found = of(name, key)
        box.main += [(f"{place}.{key}[]", value, _item(found, n)) for n, value in enumerate(table[key])]
    test = ["CMD", *(box.take(f"{place}.healthcheck.test[]") for _ in range(amount))]
    table["healthcheck"] = {"test": test}
    found = of(name, "healthcheck", "test")
    box.main += [(f"{place}.healthcheck.test[]", value, _item(found, n)) for n, value in enumerate(test)]


def _item(items: Callable[[Config], Any], number: int) -> Callable[[Config], Any]:
    return lambda config: items(config)[number]


def single(box: Box, *, place: str = "tiers.*") -> None:
    """Add a tier with one text in each field that holds one; it takes its model from a folder."""
    name, table = box.tier("vllm", place=place)
    names = len(box.tables["tiers"])
    image = box.take(f"{place}.image", is_image)
    dtype = box.take(f"{place}.kv_cache_dtype")
    served = f"{box.take(f'{place}.served_name')}{names}"
    path, lora = (f"{box.take(f'{place}.{key}', is_name)}{key[0]}" for key in ("model.path", "lora.*"))
    adapter = f"{box.take(f'{place}.lora.<name>')}{names}l"  # a model name of its own, as the served one is
    target = "/" + box.take(f"{place}.files.<name>", lambda value: is_file_name(value[1:])).removeprefix("/")
    source = box.take(f"{place}.files.*", is_file_name)
    default = box.take(f"{place}.environment.*.default")
    (box.folder / "hosts" / source).write_bytes(source.encode())
    table |= {"image": own(image), "kv_cache_dtype": dtype, "served_name": served, "model": {"path": path}}
    table |= {
        "lora": {adapter: lora},
        "files": {target: source},
        "environment": {"X": {"env": "X", "default": default}},
    }
    box.main += [
        (f"{place}.image", image, of(name, "image")),
        (f"{place}.kv_cache_dtype", dtype, argument(name, "--kv-cache-dtype")),
        (f"{place}.served_name", served, argument(name, "--served-model-name")),
        (f"{place}.model.path", f"/srv/models/{path}", mount(name, f"/models/{path}")),
        (f"{place}.model.path", f"/models/{path}", lambda config: config["services"][name]["command"][1]),
        (f"{place}.lora.*", f"/srv/models/{lora}", mount(name, f"/models/{lora}")),
        (f"{place}.lora.<name>", f"{adapter}=/models/{lora}", after(name, "--lora-modules")),
        (f"{place}.files.<name>", source, lambda config: content(mount(name, target)(config))),
        (f"{place}.environment.*.default", default, of(name, "environment", "X")),
    ]
    table["logging"] = _logging(box, place, box.main, name)
    box.router += [
        (f"{place}.served_name", served, lambda config: _named(config["router"]["tiers"], "id", name)["model"]),
        (f"{place}.served_name", name, lambda config: config["router"]["model_routes"][served]),
        (f"{place}.served_name", served, lambda config: _named(config["serve"], "name", name)["model"]),
    ]


def _logging(box: Box, place: str, expected: list[tuple[str, str, Callable[[Config], Any]]], service: str) -> Table:
    """Return where a service's log goes, with a text in each of its places."""
    driver, option = box.take(f"{place}.logging.driver"), box.take(f"{place}.logging.options.*")
    expected.append((f"{place}.logging.driver", driver, of(service, "logging", "driver")))
    expected.append((f"{place}.logging.options.*", option, of(service, "logging", "options", "o")))
    return {"driver": driver, "options": {"o": option}}


def content(path: str) -> str:
    """Return the content of a mounted file."""
    return Path(path).read_bytes().decode()


def _named(tables: list[Table], key: str, name: str) -> Table:
    (found,) = (table for table in tables if table[key] == name)
    return found


def file_model(box: Box, *, place: str = "tiers.*") -> None:
    """Add a tier with one text in each field of a model that is one file."""
    name, table = box.tier("llamacpp", place=place)
    default = box.take(f"{place}.image.default", is_image)
    keys = ("model.file", "draft_model.file", "mmproj")
    model, draft, projector = (f"{box.take(f'{place}.{key}', is_name)}{key[0]}" for key in keys)
    table |= {"image": {"env": "IMAGE", "default": default}, "mmproj": projector}
    test = box.take(f"{place}.healthcheck.test")
    table |= {"model": {"file": model}, "draft_model": {"file": draft}, "healthcheck": {"test": test}}
    box.main.append((f"{place}.healthcheck.test", test, _item(of(name, "healthcheck", "test"), -1)))
    box.main.append((f"{place}.image.default", default, of(name, "image")))
    for key, flag, path in zip(keys, ("--model", "--model-draft", "--mmproj"), (model, draft, projector), strict=True):
        box.main.append((f"{place}.{key}", f"/models/{path}", after(name, flag)))
        box.main.append((f"{place}.{key}", f"/srv/models/{path}", mount(name, f"/models/{path}")))


def around(box: Box, amount: int) -> None:
    """Put texts into the tables beside the tiers, which must have one at least."""
    labels = {f"l{number}": box.take("services.*.*") for number in range(amount)}
    box.tables["services"] = {"extra": {"image": "x", "labels": {key: own(value) for key, value in labels.items()}}}
    box.main += [("services.*.*", value, of("extra", "labels", key)) for key, value in labels.items()]
    labels = {f"l{number}": box.take("router.override.*") for number in range(amount)}
    box.tables["router"]["override"] = {"labels": {key: own(value) for key, value in labels.items()}}
    box.main += [("router.override.*", value, of("router", "labels", key)) for key, value in labels.items()]
    box.tables["modes"] = {"night": {"tiers": ["t0"], "aliases": {}}}
    for table, address, expected in (
        (box.tables["router"], "router.aliases.<name>", box.router),
        (box.tables["modes"]["night"], "modes.*.aliases.<name>", box.mode),
    ):
        for number in range(amount):
            alias = f"{box.take(address)}-{number}"
            table["aliases"][alias] = "t0"
            expected.append((address, alias, _key(lambda config: config["router"]["model_routes"], alias)))


def lone(box: Box) -> None:
    """Put one text into each place of which an inventory has only one."""
    models, hub = (f"/{box.take(key, is_name)}m" for key in ("paths.models", "hfcache.path"))
    box.tables["paths"]["models"], box.tables["hfcache"]["path"] = own(models), own(hub)
    one, _ = box.tier("vllm")
    box.tables["tiers"][one]["model"] = {"path": "m"}
    other, _ = box.tier("vllm")
    box.tables["tiers"][other]["model"] = {"repo": "a/b"}
    box.main.append(("paths.models", f"{models}/m", mount(one, "/models/m")))
    box.main.append(("hfcache.path", hub, mount(other, "/root/.cache/huggingface")))
    image = box.take("router.image", is_image)
    box.tables["router"]["image"] = own(image)
    box.main.append(("router.image", image, of("router", "image")))
    box.tables["router"]["logging"] = _logging(box, "router", box.main, "router")
    _experiment(box)


def lone_default(box: Box) -> None:
    """Put one text into the defaults of the variables of which an inventory has only one."""
    _, table = box.tier("vllm")
    table["model"] = {"path": "m"}
    default, image = (box.take(f"{table}.image.default", is_image) for table in ("router", "experiment"))
    box.tables["router"]["image"] = {"env": "IMAGE", "default": default}
    box.main.append(("router.image.default", default, of("router", "image")))
    box.tables["experiment"] = {"engine": "vllm", "image": {"env": "IMAGE", "default": image}}
    box.slot.append(("experiment.image.default", image, of("experiment", "image")))


def _experiment(box: Box) -> None:
    image, dtype = box.take("experiment.image", is_image), box.take("experiment.kv_cache_dtype")
    key = f"{box.take('experiment.environment.<name>', is_key)}k"
    value, default = box.take("experiment.environment.*"), box.take("experiment.environment.*.default")
    flags = [box.take("experiment.flags.*") for _ in range(4)]
    box.tables["experiment"] = {
        "engine": "vllm",
        "image": own(image),
        "kv_cache_dtype": dtype,
        "environment": {key: own(value), "X": {"env": "X", "default": default}},
        "flags": {f"x-{number}": flag for number, flag in enumerate(flags)},
        "flag_check": False,
    }
    box.tables["experiment"]["logging"] = _logging(box, "experiment", box.slot, "experiment")
    box.slot += [
        ("experiment.image", image, of("experiment", "image")),
        ("experiment.kv_cache_dtype", dtype, argument("experiment", "--kv-cache-dtype")),
        ("experiment.environment.*", value, of("experiment", "environment", key)),
        ("experiment.environment.<name>", key, _key(of("experiment", "environment"), key)),
        ("experiment.environment.*.default", default, of("experiment", "environment", "X")),
    ]
    for number, flag in enumerate(flags):
        box.slot.append(("experiment.flags.*", flag, argument("experiment", f"--x-{number}")))
