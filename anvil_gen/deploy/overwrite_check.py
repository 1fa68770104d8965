"""What a write would destroy that is neither ours nor kept anywhere else, and the ways out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from anvil_gen.deploy.deploy_tree import FileChange
from anvil_gen.deploy.diff_text import diff_text, without_secrets
from anvil_gen.deploy.manual_edits import lost_lines, same_data
from anvil_gen.deploy.plan import Plan, parse_existing
from anvil_gen.diagnostics import Diagnostic, Location, display_path
from anvil_gen.render.syntaxes import syntax_of
from anvil_gen.resolve.output import HEADER
from anvil_gen.values import address


def overwrite_errors(plan: Plan) -> Iterator[Diagnostic]:
    """Yield what speaks against writing a tree over what is there."""
    host = plan.host
    other = plan.folder.other_inventory(plan.files)
    if other is not None:
        yield Diagnostic(
            code="output-taken-twice",
            detail=f"{display_path(host.output)} holds what was rendered from {other}",
            remedy=f'set another "output" in [host]; or give the folder to this one:\n\n    {host.command} --force',
            address="host",
            location=Location(file=host.path.as_posix()),
        )
        return
    for change in plan.folder.foreign(plan.files):
        ours = (change.before or "").startswith(HEADER)
        if ours and change.after is not None and _says_the_same(plan, change):
            lost = lost_lines(change.before or "", change.after)
            if lost:
                yield _comments(plan, change, lost)
        else:
            yield _not_ours(plan, change, ours=ours)


def _says_the_same(plan: Plan, change: FileChange) -> bool:
    """Tell whether what a person edited is what the inventory says by now, be it in other lines."""
    if syntax_of(change.path) != "yaml":
        return False
    before, after = parse_existing(change.before, change.path), plan.tree.data[change.path]
    return same_data(before, after, any_order=_has_flags(plan, change.path))


def _has_flags(plan: Plan, path: str) -> bool:
    """Tell whether a file is a tier's whose command is made of flags, in an order that means nothing."""
    tier = next((tier for tier in plan.host.stack.tiers if path == f"tiers/{tier.name}.yml"), None)
    engine = plan.host.catalog.engine(tier.engine) if tier is not None else None
    return engine is not None and not engine.own_command


def _comments(plan: Plan, change: FileChange, lost: Sequence[str]) -> Diagnostic:
    host = plan.host
    lines = "".join(f"\n    {without_secrets(line)}" for line in lost)
    return Diagnostic(
        code="file-was-changed-manually",
        detail=f"it matches the inventory except for comments, which would be lost:\n{lines}\n",
        remedy=f"to keep them, write them into {host.path.as_posix()}, next to what they explain\n"
        f"then, to overwrite the file:\n\n    {host.command} --force",
        location=Location(file=display_path(host.output / change.path)),
    )


def _not_ours(plan: Plan, change: FileChange, *, ours: bool) -> Diagnostic:
    host = plan.host
    keep = f"to keep it, write what it says into {host.path.as_posix()}{_where(change)}\nand render again"
    otherwise = "to remove it" if change.after is None else "to overwrite it"
    return Diagnostic(
        code="file-was-changed-manually" if ours else "file-was-not-made-by-anvil-gen",
        detail=f"from what is there (-) to what would be (+):\n{diff_text(change)}\n",
        remedy=f"{keep}; {otherwise}:\n\n    {host.command} --force",
        location=Location(file=display_path(host.output / change.path)),
    )


def _where(change: FileChange) -> str:
    """Return where in an inventory the keys of a compose file go."""
    folder, _, name = change.path.removesuffix(".yml").rpartition("/")
    table = {"tiers": ("tiers", name), "services": ("services", name), "router": ("router",)}.get(folder)
    if change.after is None or table is None or syntax_of(change.path) != "yaml":
        return ""
    keys = {"tiers": " (flags as `flags`, other keys as `override`)", "router": " (as `override`)"}.get(folder, "")
    return f", [{address(table)}]{keys}"
