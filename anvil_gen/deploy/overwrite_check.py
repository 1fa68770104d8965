"""What a write would destroy that is neither ours nor kept anywhere else, and the ways out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from anvil_gen.deploy.deploy_tree import HEADER, FileChange
from anvil_gen.deploy.diff_text import diff_text, without_secrets
from anvil_gen.deploy.manual_edits import lost_lines, same_data
from anvil_gen.deploy.plan import Plan, Rendered, parse_existing
from anvil_gen.diagnostics import Diagnostic, Location, display_path
from anvil_gen.render.syntaxes import syntax_of
from anvil_gen.values import address


def overwrite_errors(outcome: Plan) -> Iterator[Diagnostic]:
    """Yield what speaks against writing a tree over what is there."""
    rendered = outcome.rendered
    other = outcome.folder.other_inventory(outcome.files)
    if other is not None:
        yield Diagnostic(
            code="output-taken-twice",
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
    return same_data(parse_existing(change.before, change.path), rendered.tree.data[change.path])


def _comments(rendered: Rendered, change: FileChange, lost: Sequence[str]) -> Diagnostic:
    lines = "".join(f"\n    {without_secrets(line)}" for line in lost)
    return Diagnostic(
        code="file-was-changed-manually",
        detail=f"it says the same as the inventory by now, but for comments, which would be lost:\n{lines}\n",
        remedy=f"to keep them, write them into {rendered.inventory.as_posix()}, next to what they explain\n"
        f"then, to overwrite the file:\n\n    {rendered.command} --force",
        location=Location(file=display_path(rendered.output / change.path)),
    )


def _not_ours(rendered: Rendered, change: FileChange, *, ours: bool) -> Diagnostic:
    keep = f"to keep it, write what it says into {rendered.inventory.as_posix()}{_where(change)}\nand render again"
    otherwise = "to remove it" if change.after is None else "to overwrite it"
    return Diagnostic(
        code="file-was-changed-manually" if ours else "file-was-not-made-by-anvil-gen",
        detail=f"from what is there (-) to what would be (+):\n{diff_text(change)}\n",
        remedy=f"{keep}; {otherwise}:\n\n    {rendered.command} --force",
        location=Location(file=display_path(rendered.output / change.path)),
    )


def _where(change: FileChange) -> str:
    """Return where in an inventory the keys of a compose file go."""
    folder, _, name = change.path.removesuffix(".yml").rpartition("/")
    table = {"tiers": ("tiers", name), "services": ("services", name), "router": ("router",)}.get(folder)
    if change.after is None or table is None or syntax_of(change.path) != "yaml":
        return ""
    keys = {"tiers": " (flags as `flags`, other keys as `override`)", "router": " (as `override`)"}.get(folder, "")
    return f", [{address(table)}]{keys}"
