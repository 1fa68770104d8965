"""Write the pages under docs/, and other files, that follow from code and data, or check that they are up to date.

.venv/bin/python scripts/generate_docs.py           write them
.venv/bin/python scripts/generate_docs.py --check   exit 2 where one differs
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from engine_pages import engine_page, failures_page
from fields_page import fields_page
from images_page import images_page
from keys_pages import data_page, inventory_page
from page_parts import NOTE, table
from presets_table import presets_table
from review_page import review_page
from targets_page import targets_page
from troubleshooting_page import troubleshooting_page
from upgrades_page import upgrades_page

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.router_features import OBSERVED, REQUESTABLE
from anvil_gen.cli.main import cli
from anvil_gen.cli.views.show.picture import picture_of
from anvil_gen.cli.views.show.svg import svg_image
from anvil_gen.diagnostic_codes import SUMMARIES
from anvil_gen.fit.host_fit import host_fit
from anvil_gen.resolve.host import Host

REPOSITORY = Path(__file__).resolve().parent.parent


def pages() -> dict[str, str]:
    """Return every generated page, by its path in the repository."""
    catalog = Catalog()
    engines = {f"docs/engines/{name}.md": engine_page(name, catalog) for name in catalog.names("engines")}
    others = {"docs/cli.md": cli_page(), "docs/failures.md": failures_page(catalog)}
    others["docs/images.md"] = images_page()
    others["docs/troubleshooting.md"] = troubleshooting_page(catalog)
    others["docs/router-contract.md"] = contract_page(catalog)
    others |= {"docs/template-data.md": data_page(), "docs/errors.md": errors_page()}
    others["docs/targets.md"] = targets_page(catalog)
    others["docs/fields.md"] = "\n".join([NOTE, *fields_page(catalog), ""])
    others["docs/pictures/lab-quad.svg"] = lab_quad_picture(catalog)
    others["docs/review.md"] = "\n".join([NOTE, *review_page(REPOSITORY), ""])
    others["templates/onboard/models.yml"] = presets_table(REPOSITORY / "templates/onboard", catalog)
    others["docs/upgrades.md"] = "\n".join([NOTE, *upgrades_page(REPOSITORY), ""])
    return {"docs/inventory.md": inventory_page(catalog), **others, **engines}


def lab_quad_picture(catalog: Catalog) -> str:
    """Return what `anvil-gen show lab-quad --format svg` prints."""
    host = Host(REPOSITORY / "hosts" / "lab-quad.toml", catalog)
    return svg_image([picture_of(host.stack, catalog, host_fit(host, (), None))]) + "\n"


def cli_page() -> str:
    """Return the page of all commands, by their own help."""
    lines = [NOTE, "# The command line", ""]
    lines += [
        "Exit codes: 0 done, 1 an error or a wrong call (nothing was written), 2 `--check` found a difference,",
        "130 interrupted by Ctrl-C. The answer stands on stdout, errors and warnings on stderr. `--json` answers carry",
        "a `format` number, which changes when a reader would have to.",
    ]
    context = click.Context(cli, info_name="anvil-gen", terminal_width=100)
    lines += ["", "```", cli.get_help(context), "```"]
    for command in commands(context):
        lines += ["", f"## {command.command_path}", "", "```", command.get_help(), "```"]
    return "\n".join(line.rstrip() for line in "\n".join(lines).split("\n")) + "\n"


def errors_page() -> str:
    """Return the page of all codes of errors and warnings."""
    lines = [
        NOTE,
        "# Errors and warnings",
        "",
        "Every error and warning is of one of these kinds. In `--json` output it has its `code`, which never changes,",
        "and `severity`, `summary`, `detail`, `remedy`, `address`, `file`, `line` and `column`. As text it begins with",
        "the summary, followed by the place, the details and the fix.",
        "",
        *table(("code", "summary"), ((f"`{name}`", summary) for name, summary in SUMMARIES.items())),
    ]
    return "\n".join(lines) + "\n"


def commands(context: click.Context) -> Iterator[click.Context]:
    """Yield every verb of a group with its help's context; behind a group, its own verbs."""
    group = context.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            raise LookupError(name)
        inner = click.Context(command, info_name=name, parent=context, terminal_width=100)
        yield inner
        yield from commands(inner)


def contract_page(catalog: Catalog) -> str:
    """Return the page of what each router can do."""
    kinds = {name: kind for name in catalog.names("routers") if (kind := catalog.router(name)) is not None}
    lines = [
        NOTE,
        "# What each router can do",
        "",
        "Each line is a test (`tests/e2e/contract`), run against every router in its container: where it says yes,",
        "that works; where it does not, it really does not. [routers.md](routers.md) says what to choose.",
    ]
    for title, capabilities in (("Wishes of `[router]`", REQUESTABLE), ("Requests and answers", OBSERVED)):
        rows = (
            (what, *("yes" if name in kind.supports else f"no: {kind.unsupported[name]}" for kind in kinds.values()))
            for name, what in capabilities.items()
        )
        lines += ["", f"## {title}", "", *table(("what", *(f"`{name}`" for name in kinds)), rows)]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write or check every page; return the exit code."""
    stale = {path: text for path, text in pages().items() if not same(REPOSITORY / path, text)}
    if "--check" in sys.argv[1:]:
        for path in stale:
            click.echo(f"{path} is not up to date; to mend it:\n\n    make docs\n")
        return 2 if stale else 0
    for path, text in stale.items():
        (REPOSITORY / path).parent.mkdir(parents=True, exist_ok=True)
        (REPOSITORY / path).write_text(text, encoding="utf-8", newline="\n")
        click.echo(f"wrote {path}")
    return 0


def same(path: Path, text: str) -> bool:
    """Return whether a file holds a text."""
    return path.is_file() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
