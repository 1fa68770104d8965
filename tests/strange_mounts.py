"""Strange texts in what a service mounts, is built from and is joined to; like `strange_boxes`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from strange_boxes import Box, Config, Table, after, content, mount, of
from strange_values import is_file_name, is_name, own


def mounting(box: Box, *, place: str = "tiers.*") -> None:
    """Add a tier with texts in its mounts, its build, its files of variables and its networks."""
    name, table = box.tier("vllm", place=place)
    number = len(box.tables["tiers"])
    inside, adapter = f"{box.take(f'{place}.model.mount', is_path)}m", f"{box.take(f'{place}.lora.*.path', is_name)}l"
    served = [_served(box, f"{place}.served_names[]", f"{number}{at}") for at in "ab"]
    alias, context = box.take(f"{place}.networks.*.aliases[]"), f"{box.take(f'{place}.build', is_name)}b"
    table |= {"model": {"path": "m", "mount": inside}, "served_names": served, "build": f"./{context}"}
    table |= {"lora": {f"adapter{number}": {"path": adapter}}, "networks": {"default": {"aliases": [alias]}}}
    table["mounts"] = _mounts(box, place, box.main, name)
    table["env_file"] = [_env_file(box, f"{place}.env_file[]", name, f"A{number}")]
    table["env_file"].append({"path": _env_file(box, f"{place}.env_file[].path", name, f"B{number}")})
    box.main += [
        (f"{place}.model.mount", "/srv/models/m", mount(name, inside)),
        (f"{place}.model.mount", inside, lambda config: config["services"][name]["command"][1]),
        (f"{place}.lora.*.path", f"/srv/models/{adapter}", mount(name, f"/models/{adapter}")),
        (f"{place}.networks.*.aliases[]", alias, lambda config: of(name, "networks", "default", "aliases")(config)[0]),
        (f"{place}.build", str(box.folder / "hosts" / context), of(name, "build", "context")),
        *(
            (f"{place}.served_names[]", one, after(name, "--served-model-name", at + 1))
            for at, one in enumerate(served)
        ),
    ]


def of_many_models(box: Box, *, place: str = "tiers.*") -> None:
    """Add a tier that has a folder of models and a file of presets, and is built with a label."""
    name, table = box.tier("llamacpp", place=place)
    folder = f"{box.take(f'{place}.model.folder', is_name)}f"
    presets = f"{box.take(f'{place}.model.presets', is_file_name)}p"
    label = box.take(f"{place}.build.*")
    (box.folder / "hosts" / presets).write_text(f"[{name}]\n", "utf-8")
    table["model"] = {"folder": folder, "presets": presets}
    table["build"] = {"context": "x", "labels": {"l": own(label)}}
    box.main += [
        (f"{place}.model.folder", f"/srv/models/{folder}", mount(name, "/models")),
        (
            f"{place}.model.presets",
            f"[{name}]\n",
            lambda config: content(mount(name, "/etc/models/presets.ini")(config)),
        ),
        (f"{place}.build.*", label, of(name, "build", "labels", "l")),
    ]


def drafting(box: Box, *, place: str = "tiers.*") -> None:
    """Add a tier whose draft has a place of its own."""
    name, table = box.tier("llamacpp", place=place)
    inside = f"{box.take(f'{place}.draft_model.mount', is_path)}d"
    table |= {"model": {"file": "m"}, "draft_model": {"file": "d", "mount": inside}}
    box.main.append((f"{place}.draft_model.mount", "/srv/models/d", mount(name, inside)))
    box.main.append((f"{place}.draft_model.mount", inside, after(name, "--model-draft")))


def declaring(box: Box) -> None:
    """Put texts into what a host has once: its volumes and networks, and what the router and the slot mount."""
    _, table = box.tier("vllm")
    table |= {"model": {"path": "m"}, "networks": ["default", "edge"], "mounts": {"/v": {"volume": "data"}}}
    table |= {"secrets": ["key"], "configs": ["rules"]}
    for kind, entry, keys in (
        ("volumes", "data", {}),
        ("networks", "edge", {}),
        ("secrets", "key", {"file": "/x"}),
        ("configs", "rules", {"file": "/x"}),
    ):
        label = box.take(f"{kind}.*.*")
        box.tables[kind] = {entry: {**keys, "labels": {"l": own(label)}}}
        box.main.append((f"{kind}.*.*", label, _label(kind, entry)))
    alias = box.take("router.networks.*.aliases[]")
    box.tables["router"]["networks"] = {"default": {"aliases": [alias]}}
    joined = of("router", "networks", "default", "aliases")
    box.main.append(("router.networks.*.aliases[]", alias, lambda config: joined(config)[0]))
    box.tables["router"]["mounts"] = _mounts(box, "router", box.main, "router")
    box.tables["experiment"] = {"engine": "vllm", "mounts": _mounts(box, "experiment", box.slot, "experiment")}


def is_path(value: str) -> bool:
    """Tell whether a text is a plain path of one folder below the root."""
    return is_name(value[1:])


def _served(box: Box, address: str, end: str) -> str:
    return box.take(address, lambda value: not value.startswith("-")) + end


def _label(kind: str, name: str) -> Callable[[Config], Any]:
    return lambda config: config[kind][name]["labels"]["l"]


def _mounts(box: Box, place: str, expected: list[tuple[str, str, Callable[[Config], Any]]], service: str) -> Table:
    """Return mounts in both forms, with a text as source and as place of each, and a text as a volume's folder."""
    found: Table = {}
    for form in ("*", "*.source"):
        target = f"{box.take(f'{place}.mounts.<name>', is_path)}{len(found)}"
        source = f"/srv/{box.take(f'{place}.mounts.{form}', is_name)}s"
        found[target] = own(source) if form == "*" else {"source": own(source)}
        expected.append((f"{place}.mounts.{form}", source, mount(service, target)))
    folder = box.take(f"{place}.mounts.*.subpath", is_name)
    found["/v/sub"] = {"volume": "data", "subpath": folder}
    expected.append(
        (f"{place}.mounts.*.subpath", folder, lambda config: _options(config, service, "/v/sub")["subpath"])
    )
    return found


def _options(config: Config, service: str, target: str) -> Any:
    (entry,) = (entry for entry in config["services"][service]["volumes"] if entry["target"] == target)
    return entry["volume"]


def _env_file(box: Box, address: str, service: str, variable: str) -> str:
    """Return the name of a file of variables with one, which Compose reads."""
    name = f"{box.take(address, is_file_name)}{variable}"
    (box.folder / "hosts" / name).write_text(f"{variable}=read\n", "utf-8")
    box.main.append((address, "read", of(service, "environment", variable)))
    return f"./{name}"
