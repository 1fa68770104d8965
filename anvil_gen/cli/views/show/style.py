"""The colours of pictures, for light and dark."""

from __future__ import annotations

from anvil_gen.cli.views.show.text import STATES

COLOURS = 8
_LIGHT = ("#a8cdf5", "#ffc999", "#a5dcb0", "#d5bdf5", "#f7b4ae", "#9adcd6", "#f2dc82", "#f5b9dc")
_DARK = ("#245a94", "#85501c", "#27693d", "#60449a", "#8a3530", "#17655f", "#6d5d18", "#853268")
_INKS = {
    "light": {"ink": "#1f2328", "muted": "#57606a", "line": "#8c959f", "card": "#f6f8fa", "page": "#ffffff"},
    "dark": {"ink": "#f0f3f6", "muted": "#a8b1bb", "line": "#6e7681", "card": "#1c2128", "page": "#0d1117"},
}


def _variables(scheme: str, fills: tuple[str, ...]) -> str:
    named = {**_INKS[scheme], **{f"c{number}": fill for number, fill in enumerate(fills)}}
    return "".join(f"--{name}:{value};" for name, value in named.items())


STYLE = (
    f":root{{color-scheme:light dark;{_variables('light', _LIGHT)}}}"
    f"@media (prefers-color-scheme:dark){{:root{{{_variables('dark', _DARK)}}}}}"
    ".drawing{font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;max-width:100%;height:auto}"
    ".drawing text{fill:var(--ink)}.drawing .t-h{font-size:20px;font-weight:700}"
    ".drawing .t-b{font-size:14px;font-weight:600}"
    ".drawing .t-s{font-size:12px}.drawing .muted{fill:var(--muted)}"
    ".drawing .card,.drawing .pill{fill:var(--card);stroke:var(--line)}"
    ".drawing .standby,.drawing .host,.drawing .other{stroke-dasharray:4 3}"
    ".drawing .edge{fill:none;stroke-width:1.5;stroke:var(--line)}.drawing .frame{fill:none;stroke:var(--line)}"
    ".drawing .free,.drawing .page{fill:var(--page)}.drawing .reserved{fill:var(--line);opacity:.5}"
    ".drawing .k-cache{opacity:.6}.drawing .unknown{opacity:.4}.drawing .idle{opacity:.3}"
    ".drawing .dot{fill:var(--line)}.drawing .up{fill:#1a9e4b}.drawing .wait{fill:#c98a00}.drawing .down{fill:#d1342f}"
    + "".join(
        f".drawing .c{n}{{fill:var(--c{n})}}.drawing .e{n}{{stroke:var(--c{n});stroke-width:3}}" for n in range(COLOURS)
    )
)
"""For every drawing: an image has it inside, a page once."""

_CLASSES = {"green": "up", "yellow": "wait", "red": "down"}


def state_class(state: str) -> str:
    """Return the class of a container's state: up, wait or down; "absent" for one that there is not."""
    return _CLASSES.get(STATES.get(state, ""), "absent")
