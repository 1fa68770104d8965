"""Templates as data: an added engine is a folder, an overridden file wins, a faulty one is told."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml
from msgspec import Struct
from places import REPOSITORY
from toy_engine import TOY_ENGINE, TOY_INVENTORY, fleet

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.defaults import shipped_templates
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.inventory.schema_host import GpuTable, HostTable
from anvil_gen.inventory.schema_model import ModelTable
from anvil_gen.inventory.schema_mounts import MountTable
from anvil_gen.inventory.schema_own_keys import OWN_KEYS
from anvil_gen.inventory.schema_router import RouterTable
from anvil_gen.inventory.schema_tier import ExperimentTable, TierTable

PACKAGE = REPOSITORY / "anvil_gen"
KINDS = {"engines": "engine.toml", "gpus": "gpu.toml", "routers": "router.toml"}


def test_an_engine_is_a_folder(tmp_path: Path) -> None:
    inventory = fleet(tmp_path, TOY_INVENTORY, **{"templates/engines/toy/engine.toml": TOY_ENGINE})
    service = yaml.safe_load(Generator().render(inventory).tree.files["tiers/small.yml"])["services"]["small"]

    assert service["image"] == "example/toy:1"
    assert service["entrypoint"] == ["toy-server"]
    assert service["command"] == [
        *("--weights", "/weights/a/b.bin"),
        *("--alias", "small"),
        *("--ctx", "2048"),
        *("--listen", "9000"),
        *("--json", '{"a":"ü","b":1,"c":{"x":0.90},"d":[1e5,true]}'),
        *("--stop", "-x", "--stop", "y"),
    ]
    assert service["ports"] == ["127.0.0.1:9000:9000"]
    assert service["healthcheck"]["test"] == ["CMD", "toy-server", "--probe", "9000/ready"]
    assert service["volumes"][0]["source"] == "/srv/models/a/b.bin"


def test_models_are_fetched_to_where_containers_look_for_them() -> None:
    catalog = Catalog()
    for name in catalog.names("engines"):
        engine = catalog.engine(name)
        assert engine is not None
        told = {value for key, value in engine.hub_environment.items() if key.endswith("_CACHE")}
        assert told <= {f"{{hub_cache}}/{engine.hub_folder}"}, name


def test_an_engine_may_bring_its_own_service(tmp_path: Path) -> None:
    own = (
        "name: {{ stack.project }}\nservices:\n  {{ service.name | key }}:\n"
        '{% include "compose/service.yml.j2" %}\n    oom_score_adj: 5\n{% include "compose/volumes.yml.j2" %}\n'
    )
    templates = {
        "templates/engines/toy/engine.toml": TOY_ENGINE,
        "templates/engines/toy/service.yml.j2": own,
    }
    files = Generator().render(fleet(tmp_path, TOY_INVENTORY, **templates)).tree.files

    service = yaml.safe_load(files["tiers/small.yml"])["services"]["small"]
    assert (service["image"], service["oom_score_adj"]) == ("example/toy:1", 5)


def test_a_users_file_overrides_the_shipped_one(tmp_path: Path) -> None:
    shipped = (shipped_templates() / "engines" / "vllm" / "engine.toml").read_text("utf-8")
    changed = shipped.replace('image_cpu = "vllm/vllm-openai-cpu:v0.33.0"', 'image_cpu = "registry.example/vllm:mine"')
    inventory = 'schema = 1\n[tiers.tier]\nengine = "vllm"\nmodel = { path = "/m/x" }\n'
    path = fleet(tmp_path, inventory, **{"templates/engines/vllm/engine.toml": changed})

    assert "image: registry.example/vllm:mine\n" in Generator().render(path).tree.files["tiers/tier.yml"]


@pytest.mark.parametrize(
    ("old", "new", "address", "line"),
    [
        ('flag_style = "space"', 'flag_style = "tab"', "flag_style", 6),
        ("port = 9000", "prot = 9000", "defaults.prot", 19),
        ('context_length = "ctx"', 'contextlength = "ctx"', "fields.contextlength", 16),
        ('title = "Toy"', 'titel = "Toy"', "titel", 2),
    ],
)
def test_a_faulty_engine_file_is_told_with_its_line(
    old: str, new: str, address: str, line: int, tmp_path: Path
) -> None:
    assert old in TOY_ENGINE
    inventory = fleet(tmp_path, TOY_INVENTORY, **{"templates/engines/toy/engine.toml": TOY_ENGINE.replace(old, new)})
    with pytest.raises(DiagnosticError) as caught:
        Generator().render(inventory)

    (found,) = caught.value.diagnostics
    assert (found.address, found.location and found.location.line) == (address, line)
    assert found.location is not None
    assert found.location.file.endswith("engine.toml")


def test_all_that_is_wrong_in_a_data_file_is_told(tmp_path: Path) -> None:
    quirk = '[[quirks]]\nreason = "x"\nplatform = "wls2"\ncompute_capability_below = "abc"\n[tasks]\nchatt = {}\n'
    diagnostics = data_faults(tmp_path, TOY_ENGINE + quirk)

    assert [diagnostic.address for diagnostic in diagnostics] == [
        "tasks.chatt",
        "quirks[0].platform",
        "quirks[0].compute_capability_below",
    ]
    more = (
        '[flag_aliases]\nx = "prot"\n[[quirks]]\nreason = "x"\nrefuse = { option = "kv", values = [], remedy = "" }\n'
    )
    diagnostics = data_faults(tmp_path, TOY_ENGINE.replace("port = 9000", 'port = "abc"') + more)
    assert [diagnostic.address for diagnostic in diagnostics] == [
        "defaults.port",
        "flag_aliases.x",
        "quirks[0].refuse.option",
    ]


RENAMED = """
tools = ["a"]
[variables]
a = "A"
[option_flags]
[aliases]
"""


def test_a_renamed_key_of_an_engine_is_told_by_its_new_name(tmp_path: Path) -> None:
    old = TOY_ENGINE.replace("vendors = []\n[fields]", f"vendors = []{RENAMED}[options]")
    diagnostics = data_faults(tmp_path, old)

    assert [(diagnostic.address, diagnostic.detail) for diagnostic in diagnostics] == [
        ("tools", '"tools" is now called "tool_flags"'),
        ("variables", '"variables" is now called "field_env"'),
        ("option_flags", '"option_flags" is now called "field_flags"'),
        ("aliases", '"aliases" is now called "flag_aliases"'),
        ("options", '"options" is now called "fields"'),
    ]


TEST = 'test = ["CMD", "toy-server", "--probe", "{port}{path}"]'


@pytest.mark.parametrize(
    ("health", "address"),
    [
        (f'{TEST}\nprobe = "curl"', "health"),
        ("", "health"),
        ('probe = "crul"', "health.probe"),
        (f'{TEST}\ntimeout = "soon"', "health.timeout"),
    ],
)
def test_a_health_check_has_one_test(health: str, address: str, tmp_path: Path) -> None:
    assert [diagnostic.address for diagnostic in data_faults(tmp_path, TOY_ENGINE.replace(TEST, health))] == [address]


@pytest.mark.parametrize(("timeout", "seconds"), [("5s", "4"), ("1m30s", "89"), ("500ms", "1")])
def test_a_probe_ends_before_compose_ends_it(timeout: str, seconds: str, tmp_path: Path) -> None:
    engine = TOY_ENGINE.replace(TEST, f'probe = "curl"\ntimeout = "{timeout}"')
    inventory = fleet(tmp_path, TOY_INVENTORY, **{"templates/engines/toy/engine.toml": engine})
    service = yaml.safe_load(Generator().render(inventory).tree.files["tiers/small.yml"])["services"]["small"]

    quiet = ["-fsS", "--noproxy", "*", "-o", "/dev/null"]
    words = ["CMD", "curl", *quiet, "-m", seconds, "http://127.0.0.1:9000/ready"]
    assert service["healthcheck"]["test"] == words


def test_an_engine_chooses_its_image_by_the_gpus(tmp_path: Path) -> None:
    data = TOY_ENGINE.replace("vendors = []", 'vendors = ["amd"]\nimages.amd = { default = "d:1", "8.9" = "new:1" }')
    gpus = (
        'gpus.a = { vendor = "amd", uuid = "0" }\ngpus.b = { vendor = "amd", uuid = "1", compute_capability = "8.9" }\n'
    )
    tiers = "".join(
        f'[tiers.{name}]\nengine = "toy"\nmodel.path = "m"\nport = {port}\ngpus = {held}\n'
        for name, port, held in (("none", 1, "[]"), ("old", 2, '["a"]'), ("new", 3, '["b"]'))
    )
    text = f'schema = 1\npaths.models = "/srv"\n{gpus}{tiers}'
    inventory = fleet(tmp_path, text, **{"templates/engines/toy/engine.toml": data})
    files = Generator().render(inventory).tree.files
    images = [yaml.safe_load(files[f"tiers/{name}.yml"])["services"][name]["image"] for name in ("none", "old", "new")]

    assert images == ["example/toy:1", "d:1", "new:1"]


def test_the_place_of_the_cache_stands_once(tmp_path: Path) -> None:
    data = TOY_ENGINE.replace('"file"]', '"repo"]').replace(
        "[fields]", '[hub_environment]\nHUB = "{hub_cache}/x"\n[fields]'
    )
    text = 'schema = 1\nhfcache.volume = "hub"\ntiers.small = { engine = "toy", model.repo = "a/b" }\n'
    inventory = fleet(tmp_path, text, **{"templates/engines/toy/engine.toml": data})
    service = yaml.safe_load(Generator().render(inventory).tree.files["tiers/small.yml"])["services"]["small"]

    assert (service["environment"], service["volumes"][0]["target"]) == ({"HUB": "/hub/x"}, "/hub")


def data_faults(folder: Path, engine: str) -> list[Diagnostic]:
    """Return the faults of an engine's data file."""
    inventory = fleet(folder, TOY_INVENTORY, **{"templates/engines/toy/engine.toml": engine})
    with pytest.raises(DiagnosticError) as caught:
        Generator().render(inventory)
    assert all(
        diagnostic.location and diagnostic.location.line and diagnostic.location.source
        for diagnostic in caught.value.diagnostics
    )
    return list(caught.value.diagnostics)


@pytest.mark.parametrize(
    "path",
    [
        "defaults.toml",
        "engine/x/engine.toml",
        "engines/x/notes.txt",
        "engines/vllm/engin.toml",
        "routers/anvil/tree/router/x.toml",
        "compose/x.j2",
    ],
)
def test_a_template_that_nothing_reads_is_refused(path: str, tmp_path: Path) -> None:
    inventory = fleet(tmp_path, TOY_INVENTORY, **{f"templates/{path}": ""})
    with pytest.raises(DiagnosticError) as caught:
        Generator().render(inventory)

    assert [diagnostic.summary for diagnostic in caught.value.diagnostics] == ["template that nothing reads"]


def test_an_engine_goes_by_its_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = Catalog()
    lowered = catalog.find("engines/vllm/engine.toml")
    monkeypatch.setattr(catalog, "find", lambda _: lowered)

    assert catalog.engine("VLLM") is None


def test_an_option_of_tiers_alone_does_not_break_the_experiment(tmp_path: Path) -> None:
    engine = (
        TOY_ENGINE.replace("[fields]\n", '[fields]\ntask = "task"\nport = "listen"\n', 1)
        .replace('context_length = "ctx"\nport = "listen"\n', 'context_length = "ctx"\n')
        .replace('"file"]', '"file", "repo"]')
    )
    text = TOY_INVENTORY + "[hfcache]\nvolume = 'hub'\n[defaults]\ntask = 'chat'\n[experiment]\nengine = 'toy'\n"
    files = Generator().render(fleet(tmp_path, text, **{"templates/engines/toy/engine.toml": engine})).tree.files

    assert "--task" in files["tiers/small.yml"]
    assert "--task" not in files["docker-compose.experiment.yml"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_shipped_folder_loads(kind: str) -> None:
    catalog = Catalog()
    load = {"engines": catalog.engine, "gpus": catalog.vendor, "routers": catalog.router}[kind]
    folders = sorted(path.name for path in (shipped_templates() / kind).iterdir())

    assert catalog.names(kind) == folders
    assert all(load(name) is not None for name in folders)


@pytest.mark.parametrize(
    ("section", "table"),
    [
        ("host", HostTable),
        ("gpu", GpuTable),
        ("model", ModelTable),
        ("mount", MountTable),
        ("tier", TierTable),
        ("router", RouterTable),
        ("experiment", ExperimentTable),
    ],
)
def test_every_option_stands_once_in_the_defaults(section: str, table: type[Struct]) -> None:
    own = set(OWN_KEYS) if table is TierTable else set()
    assert set(Catalog().defaults[section]) == set(table.__struct_fields__) - own


def test_no_engine_router_or_vendor_brings_python() -> None:
    files = [path for path in shipped_templates().rglob("*") if path.is_file()]

    assert sum(path.name in KINDS.values() for path in files) == sum(len(Catalog().names(kind)) for kind in KINDS)
    assert sum(path.suffix == ".py" or b"python" in path.read_bytes()[:20] for path in files) == 0


def test_no_engine_router_or_vendor_is_named_in_python() -> None:
    catalog = Catalog()
    names = {name for kind in KINDS for name in catalog.names(kind)}
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names:
                found.append((path.name, node.lineno, node.value))
            if isinstance(node, ast.Name | ast.Attribute):
                word = node.id if isinstance(node, ast.Name) else node.attr
                found += [(path.name, node.lineno, word)] if set(re.split(r"[_\W]+", word.lower())) & names else []

    assert found == []
