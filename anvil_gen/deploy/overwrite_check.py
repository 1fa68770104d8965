"""What a write would destroy that is neither ours nor kept anywhere else, and the ways out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from anvil_gen.deploy.deploy_tree import HEADER, FileChange
from anvil_gen.deploy.diff_text import diff_text, visible, without_secrets
from anvil_gen.deploy.manual_edits import lost_lines, same_meaning, suggestion
from anvil_gen.deploy.plan import Plan, Rendered, parse_existing
from anvil_gen.diagnostics import Diagnostic, Location, display_path
from anvil_gen.render.syntaxes import syntax_of


def overwrite_errors(outcome: Plan) -> Iterator[Diagnostic]:
    """Yield what speaks against writing a tree over what is there."""
    rendered = outcome.rendered
    other = outcome.folder.other_inventory(outcome.files)
    if other is not None:
        yield Diagnostic(
            summary="output taken twice",
            detail=f"{display_path(rendered.output)} holds what was rendered from {other}",
            remedy=f'set another "output" in [host]; or give the folder to this one:\n\n    {rendered.command} --force',
            address="host",
            location=Location(file=rendered.inventory.as_posix()),
        )
        return
    for change in outcome.folder.foreign(outcome.files):
        ours = (change.before or "").startswith(HEADER)
        if ours and change.after is not None and _says_the_same(rendered, change):
            lost = lost_lines(change.before or "", change.after)
            if lost:
                yield _comments(rendered, change, lost)
        else:
            yield _not_ours(rendered, change, ours=ours)


def _says_the_same(rendered: Rendered, change: FileChange) -> bool:
    """Tell whether what a person edited is what the inventory says by now, be it in other lines."""
    if syntax_of(change.path) != "yaml":
        return False
    before, after = parse_existing(change.before, change.path), rendered.tree.data[change.path]
    return same_meaning(before, after, free_flags=_flags(rendered, change.path) is not None)


def _flags(rendered: Rendered, path: str) -> dict[str, str] | None:
    """Return the fields of a tier by the flags that they set; None for a file whose command is not made of flags."""
    tier = next((tier for tier in rendered.stack.tiers if path == f"tiers/{tier.name}.yml"), None)
    engine = rendered.catalog.engine(tier.engine) if tier is not None else None
    return None if engine is None or engine.own_command else engine.flag_fields


def _comments(rendered: Rendered, change: FileChange, lost: Sequence[str]) -> Diagnostic:
    told = "".join(f"\n    {without_secrets(line)}" for line in lost)
    return Diagnostic(
        summary="file was changed by hand",
        detail=f"it says the same as the inventory by now, but for comments, which would be lost:\n{told}\n",
        remedy=f"to keep them, write them into {rendered.inventory.as_posix()}, beside what they explain\n"
        f"then, to overwrite the file:\n\n    {rendered.command} --force",
        location=Location(file=display_path(rendered.output / change.path)),
    )


def _not_ours(rendered: Rendered, change: FileChange, *, ours: bool) -> Diagnostic:
    if change.after is None:
        ways = f"{_keep(rendered)} and render again\nto remove it"
    else:
        lines = "".join(f"    {visible(line)}\n" for line in (_example(rendered, change) if ours else ()))
        as_keys = " (flags as `flags`, other keys as `override`)" if syntax_of(change.path) == "yaml" else ""
        way = f"{_keep(rendered)}{as_keys}"
        ways = (
            f"{way}:\n\n{lines}\nand render again; to overwrite it"
            if lines
            else f"{way}\nand render again; to overwrite it"
        )
    return Diagnostic(
        summary="file was changed by hand" if ours else "file was not made by anvil-gen",
        detail=f"from what is there (-) to what would be (+):\n{diff_text(change)}\n",
        remedy=f"{ways}:\n\n    {rendered.command} --force",
        location=Location(file=display_path(rendered.output / change.path)),
    )


def _keep(rendered: Rendered) -> str:
    return f"to keep it, write what it says into {rendered.inventory.as_posix()}"


def _example(rendered: Rendered, change: FileChange) -> list[str]:
    if syntax_of(change.path) != "yaml":
        return []
    before, after = parse_existing(change.before, change.path), rendered.tree.data[change.path]
    return suggestion(change.path, before, after, fields=_flags(rendered, change.path))
