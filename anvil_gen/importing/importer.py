"""The import: services as tiers, as far as the inventory takes them and Compose reads them alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, InternalError
from anvil_gen.importing.adoption import Offer, is_adopted, offers
from anvil_gen.importing.assemble import Assembled, Choice, Form, assemble, has_relative_values, move_to, tier_names
from anvil_gen.importing.comments import placed_comments
from anvil_gen.importing.compare import Difference
from anvil_gen.importing.compose_files import Project
from anvil_gen.importing.engine_facts import EngineFacts, facts_of, usual_driver
from anvil_gen.importing.inventory_text import inventory_text
from anvil_gen.importing.proof import SourceRead, prove, read_source, temporary_tree
from anvil_gen.importing.recognise import engine_of
from anvil_gen.importing.secrets import Hidden
from anvil_gen.importing.service_gpus import GpuNames, reserved
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.model import Tree

_TRIES = 40
_ASSUMED_SHARE = 0.05
"""Of a GPU: what an engine of small models takes that is started next to a larger one."""
_PART = lazy_pattern(r'"(?:[^"\\]|\\.)*"|[^.\[\]"]+')
_FIELD_OF_KEY: Mapping[str, str] = {
    "volumes": "mounts",
    "ports": "port",
    "deploy": "gpus",
    "healthcheck": "healthcheck",
    "logging": "logging",
    "restart": "restart",
    "container_name": "container_name",
    "stop_grace_period": "stop_grace_period",
    "shm_size": "shm_size",
    "ipc": "ipc",
}
"""Key of Compose -> the field of a tier that has said it otherwise."""
_TOGETHER = {
    "bind": "port",
    "container_port": "port",
    "ports": "port",
    "served_names": "served_name",
    "start_period": "",
}
_NEVER_BANNED = ("flags", "environment", "engine", "override", "entrypoint", "command", "")


_Tried = tuple[int, Form, set[str]]
"""How many differences a form of a service leaves, the form, and the fields that it does without."""


class Import(Struct, frozen=True, kw_only=True):
    """An inventory made of a source. ``residue`` is None where there was no Compose to prove it."""

    text: str
    choices: tuple[Choice, ...]
    residue: tuple[Difference, ...] | None
    kept: tuple[str, ...] = ()  # variables for which nothing but the default was proved
    hidden: Hidden
    offers: tuple[Offer, ...] = ()  # what rendering adds by default, and is switched off
    taken: tuple[Offer, ...] | None = None  # those that were adopted; None where nobody asked for it
    adopted: tuple[Difference, ...] = ()  # what differs because of them

    def residue_of(self, service: str) -> list[Difference]:
        """Return the residue of one service."""
        return [one for one in self.residue or () if one.path[:2] == ("services", service)]


class Target(Struct, frozen=True, kw_only=True):
    """Where the inventory is to be, and what it is to be called."""

    path: Path
    name: str
    known_gpus: Mapping[int, str] = {}
    gpu_facts: Mapping[str, Mapping[str, Any]] = {}  # by UUID, as `[gpus]` has them
    dotenv: Mapping[str, str] = {}
    adopt: bool = False


def import_project(project: Project, target: Target, generator: Generator, catalog: Catalog) -> Import:
    """Return the inventory of a project, and what it proves.

    Raises:
        DiagnosticError: the source is not valid.
    """
    with ThreadPoolExecutor(1) as pool, temporary_tree() as folder:
        reading = pool.submit(read_source, project, target.dotenv)
        work = _Work(project, target, generator, catalog, Path(folder) / "tree")
        return work.run(reading)


class _Work:
    def __init__(self, project: Project, target: Target, generator: Generator, catalog: Catalog, tree: Path) -> None:
        self._tree = tree
        self._adopted: list[str] = []
        self._rendered_tree: Tree = Tree(files={}, data={})
        self._project, self._target, self._generator, self._catalog = project, target, generator, catalog
        services = [*project.tables["services"]]
        names = tier_names(services)
        self._choices = [self._choice(service, names[service]) for service in services]
        self._move = move_to(project.folder, target.path)
        self._at_source = has_relative_values(project, target.dotenv)

    def _choice(self, service: str, name: str) -> Choice:
        table = self._project.tables["services"][service]
        engine = engine_of(self._catalog, service, table)
        forms: list[Form] = ["service", "left out"]
        if engine:
            forms = ["fields", "words", "bare", *forms]
        elif reserved(table, usual_driver(self._catalog)) and table.get("ports"):
            forms = ["bare", *forms]
        return Choice(service=service, name=name, engine=engine, forms=forms, banned=set())

    def run(self, reading: Future[SourceRead | None]) -> Import:
        try:
            text, assembled = self._rendered()
        finally:
            source = reading.result()  # what Compose refuses comes before what an inventory does
        residue: list[Difference] | None = None
        if source is not None:
            text, assembled, residue = self._proved(source, text, assembled)
        offered = tuple(offers(self._catalog, assembled.data, self._target.known_gpus))
        found = Import(
            text=text,
            choices=tuple(self._choices),
            residue=None if residue is None else tuple(residue),
            kept=source.kept if source is not None else (),
            hidden=assembled.hidden,
            offers=offered,
        )
        return self._with_adopted(found, source) if self._target.adopt else found

    def _proved(self, source: SourceRead, text: str, assembled: Assembled) -> tuple[str, Assembled, list[Difference]]:
        """Return the inventory in which each service is said best, and what differs."""
        best: dict[str, _Tried] = {}
        residue = self._residue(source)
        while self._narrow(residue, best, assembled.hidden):
            text, assembled = self._rendered()
            residue = self._residue(source)
        if not self._choose(best):
            text, assembled = self._rendered()
            residue = self._residue(source)
        return text, assembled, residue

    def _with_adopted(self, found: Import, source: SourceRead | None) -> Import:
        """Return an import with the offers that the inventory takes, and what they change."""
        taken: list[Offer] = []
        for offer in found.offers:
            self._adopted = [one.key for one in (*taken, offer)]
            with suppress(DiagnosticError):
                self._render(self._assembled())
                taken.append(offer)
        self._adopted = [one.key for one in taken]
        assembled = self._assembled()
        text = self._render(assembled)
        services = {choice.name: choice.service for choice in self._choices}
        residue = self._residue(source) if source is not None else []
        before = {one.path for one in found.residue or ()}
        wanted = [one for one in residue if one.path not in before and is_adopted(one, taken, services)]
        return replace(
            found,
            text=text,
            offers=tuple(one for one in found.offers if one not in taken),
            taken=tuple(taken),
            adopted=tuple(wanted),
            residue=None if source is None else tuple(one for one in residue if one not in wanted),
        )

    def _rendered(self) -> tuple[str, Assembled]:
        """Return the inventory and what it renders to, once the inventory takes every service."""
        for _ in range(_TRIES + 5 * len(self._choices)):
            assembled = self._assembled()
            try:
                return self._render(assembled), assembled
            except DiagnosticError as error:
                self._give_way(assembled, error)
            except InternalError as error:
                self._give_up(assembled, error)
        raise InternalError("the inventory of an import is refused in every form")

    def _render(self, assembled: Assembled) -> str:
        """Return the text of an inventory, once it is rendered."""
        text = inventory_text(assembled.data, placed_comments(self._project, self._choices, assembled))
        plan = self._generator.render(self._target.path, output=self._tree, text=text)
        self._rendered_tree = plan.tree
        return text

    def _assembled(self) -> Assembled:
        assembled = assemble(
            self._catalog,
            self._project,
            self._choices,
            self._move,
            name=self._target.name,
            known_gpus=self._target.known_gpus,
            at_source=self._at_source,
            adopted=self._adopted,
        )
        for table in assembled.data.get("gpus", {}).values():
            table.update(self._target.gpu_facts.get(str(table.get("uuid")), {}))
        return assembled

    def _give_way(self, assembled: Assembled, error: DiagnosticError) -> None:
        """Write otherwise what the inventory has refused.

        Raises:
            DiagnosticError: nothing can be written otherwise.
        """
        # One step for each place, however much is wrong there.
        refused = {(one.code, one.address): one for one in error.diagnostics if one.severity == "error"}
        if True not in [self._yield_to(assembled, one) for one in refused.values()]:
            raise error

    def _give_up(self, assembled: Assembled, error: InternalError) -> None:
        """Write a service otherwise whose file is not what the inventory says.

        Raises:
            InternalError: it is not known which.
        """
        named = [one for (_, name), one in assembled.owners.items() if f"/{name}.yml" in str(error)]
        if True not in [_simpler(one) for one in named]:
            raise error

    def _yield_to(self, assembled: Assembled, diagnostic: Diagnostic) -> bool:
        path = parse_address(diagnostic.address)
        choice = assembled.owners.get((path[0], path[1])) if len(path) > 1 else None
        if choice is None and path[:1] == ("gpus",):
            changed = [self._ban(one, "gpus") for one in self._choices if one.form != "service"]
            return any(changed)
        if choice is None:
            tiers = [one for one in assembled.owners.values() if one.section == "tiers"]
            of_all = path[:1] in (("defaults",), ("hfcache",), ("modes",), ())
            return of_all and True in [_simpler(one) for one in tiers]
        if diagnostic.code == "gpu-shared-without-shares" and self._assume_share(choice):
            return True
        key = path[2] if len(path) > 2 else ""
        if choice.section == "services":
            choice.refused = diagnostic
            return _simpler(choice)
        if key == "flags" and len(path) > 3 and choice.form == "fields":
            return self._ban(choice, path[3])
        return self._ban(choice, _TOGETHER.get(key, key))

    def _assume_share(self, choice: Choice) -> bool:
        """State a share of its GPU for a tier that shares it, where no flag of its engine's comes of that."""
        engine = self._catalog.engine(choice.engine)
        field = "gpu_memory_utilization"
        if choice.form != "fields" or choice.assumed or engine is None or field in engine.fields:
            return False
        choice.assumed = {field: _ASSUMED_SHARE}
        return True

    def _ban(self, choice: Choice, field: str) -> bool:
        """Do without a field of a tier; write the service in a simpler form where that was done already."""
        if field in _NEVER_BANNED or field in choice.banned:
            return _simpler(choice)
        choice.banned.add(field)
        return True

    def _residue(self, source: SourceRead) -> list[Difference]:
        with temporary_tree() as folder:
            # As far from the source as the tree is, so that relative paths lead to the same places.
            place = Path(folder) / "tree"
            gpus = GpuNames(tables={}, known=self._target.known_gpus, driver=usual_driver(self._catalog))
            return prove(source, self._rendered_tree, place, self._facts(), gpus)

    def _facts(self) -> dict[str, EngineFacts]:
        return {
            one.service: facts_of(self._catalog, one.engine, self._project.tables["services"][one.service].get("image"))
            for one in self._choices
            if one.engine and one.form in ("fields", "words")
        }

    def _narrow(self, residue: list[Difference], best: dict[str, _Tried], hidden: Hidden) -> bool:
        """Note how well each service is said, and try another form where it is not; tell whether there is one."""
        changed = False
        for choice in self._choices:
            keys = {str(place[2]) for place in hidden.places if place[1] in (choice.name, choice.service)}
            mine = [one for one in residue if one.path[:2] == ("services", choice.service)]
            mine = [one for one in mine if len(one.path) < 3 or not _of_secret(str(one.path[2]), keys)]
            known = best.get(choice.service)
            if known is None or len(mine) < known[0]:
                best[choice.service] = (len(mine), choice.form, set(choice.banned))
            if mine and choice.forms[1:] and choice.forms[1] != "left out":
                changed = self._avoid(choice, mine) or changed
        return changed

    def _avoid(self, choice: Choice, residue: list[Difference]) -> bool:
        fields = {_FIELD_OF_KEY.get(str(one.path[2]), "") if len(one.path) > 2 else "" for one in residue}
        if choice.section == "tiers" and fields and all(field and field not in choice.banned for field in fields):
            choice.banned |= fields
            return True
        return _simpler(choice)

    def _choose(self, best: Mapping[str, _Tried]) -> bool:
        """Write each service as it was said best; tell whether that is how they are written already."""
        same = True
        for choice in self._choices:
            _, form, banned = best[choice.service]
            same = same and (form, banned) == (choice.form, choice.banned)
            choice.forms = [form, *(one for one in choice.forms if one != form)]
            choice.banned = set(banned)
        return same


def _of_secret(key: str, hidden: set[str]) -> bool:
    """Tell whether a key of Compose differs because of a secret in one of these keys of a table."""
    if key == "command":
        return not hidden.isdisjoint(("command", "flags", "extra_arguments"))
    return key in hidden


def _simpler(choice: Choice) -> bool:
    """Write a service in the next form; tell whether there is one."""
    if len(choice.forms) == 1:
        return False
    choice.forms = choice.forms[1:]
    return True


def parse_address(address: str) -> tuple[str, ...]:
    """Return the parts of a dotted address."""
    return tuple(_parts(address))


def _parts(address: str) -> Iterator[str]:
    import json  # noqa: PLC0415

    for part in _PART.findall(address):
        yield json.loads(part) if part.startswith('"') else part
