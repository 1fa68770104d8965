"""The shape of the code: which module may import which, and how long a piece may be."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "anvil_gen"
# From the ground up: a module imports only from floors below its own.
FLOORS = [
    {"__init__"},
    {"capabilities", "door", "diagnostics", "paths", "template_rules", "lock", "committed", "deploy_state"},
    {"model"},
    {"cfg_words", "digests", "quoting", "yaml_data", "positions", "options", "inventory_types", "fleet", "changes"},
    {"inventory_tables"},
    {"inventory_router"},
    {"command", "document", "inventory", "own_keys", "stand_ins"},
    {
        "report",
        "misfits",
        "deploy_folder",
        "schema",
        "overrides",
        "hand_edits",
        "twins",
        "command_reading",
        "file_edit",
        "toml_edit",
    },
    {"card_data", "template_folders"},
    {"catalog", "diffs"},
    {"engine_log", "structure", "serve", "claims", "free_values", "templating", "said", "promote"},
    {"host", "sources", "render", "checks", "answers", "wishes", "clients"},
    {"service", "proof"},
    {"experiment", "routing", "egress"},
    {"names", "tiers"},
    {"modes", "variables"},
    {"resolve"},
    {"resolved"},
    {"outcome"},
    {"overwriting"},
    {"generate"},
    {"probe.__init__", "probe.programs", "probe.ports", "probe.host_paths"},
    {"probe.cards"},
    {"probe.machine"},
    {"operate.__init__", "operate.docker", "operate.served", "operate.turn"},
    {"operate.compose", "operate.containers", "operate.engine_facts"},
    {"operate.target", "operate.forms", "operate.cards", "operate.variable_values", "operate.conflicts"},
    {"operate.deployment"},
    {"operate.drift", "operate.slot"},
    {"doctor.__init__", "doctor.check", "doctor.dotenv"},
    {"doctor.wants"},
    {"doctor.subject", "doctor.remote"},
    {
        "doctor.card_checks",
        "doctor.claim_checks",
        "doctor.container_checks",
        "doctor.image_checks",
        "doctor.machine_checks",
    },
    {"doctor.storage_checks", "doctor.disk_checks", "doctor.pin_proof"},
    {"doctor.examination", "doctor.causes"},
    {"operate.results", "operate.status", "operate.log_lines", "operate.waiting"},
    {"operate.bring_up", "operate.trial", "operate.watch"},
    {"operate.promotion"},
    {"onboard.__init__", "onboard.weights", "onboard.elsewhere", "onboard.source"},
    {"onboard.find"},
    {"onboard.answers", "onboard.lacks"},
    {"onboard.lay_down"},
    {"onboard.first_steps"},
    {"views.__init__", "views.answer", "views.change_lines"},
    {"views.faults"},
    {"views.trees", "views.services", "views.onboarding", "views.doctor"},
    {"views.client", "views.experiment", "views.promotion", "views.waiting"},
    {"commands.__init__", "commands.parameters", "commands.group"},
    {"commands.experiment.__init__", "commands.wait"},
    {
        "commands.client",
        "commands.init",
        "commands.render",
        "commands.up",
        "commands.down",
        "commands.restart",
        "commands.status",
        "commands.doctor",
        "commands.logs",
        "commands.schema",
        "commands.experiment.up",
        "commands.experiment.down",
        "commands.experiment.status",
        "commands.experiment.logs",
        "commands.experiment.promote",
    },
    {"cli"},
    {"__main__"},
]
LEVEL = {module: level for level, floor in enumerate(FLOORS) for module in floor}
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """Return a module's name inside the package."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports(tree: ast.AST) -> set[str]:
    """Return the package's modules that a module imports, also inside functions."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "anvil_gen":
            inside = node.module.partition(".")[2]
            is_folder = (PACKAGE / inside).is_dir()
            names = [f"{inside}.{a.name}".lstrip(".") for a in node.names] if is_folder else [inside]
            found |= {name if name in LEVEL else "__init__" for name in names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_run_downward(path: Path) -> None:
    above = {name for name in imports(ast.parse(path.read_text("utf-8"))) if LEVEL[name] >= LEVEL[name_of(path)]}

    assert above == set()


def test_every_module_has_its_floor() -> None:
    assert sorted(LEVEL) == sorted(map(name_of, MODULES))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_pieces_are_short(path: Path) -> None:
    text = path.read_text("utf-8")
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    long = [f.name for f in functions if f.end_lineno is not None and f.end_lineno - f.lineno + 1 > 50]

    assert long == []
    assert len(text.splitlines()) <= 400


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_blanket_except(path: Path) -> None:
    handlers = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ExceptHandler)]
    caught = [handler.type.id for handler in handlers if isinstance(handler.type, ast.Name)]

    assert all(handler.type is not None for handler in handlers)
    assert not {"Exception", "BaseException"} & set(caught)
