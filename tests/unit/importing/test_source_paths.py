"""Whether values of variables are relative paths, which mean another folder in another file."""

from __future__ import annotations

from typing import Any

import pytest

from anvil_gen.importing.source_paths import has_relative_value

VALUES = {
    "EMPTY": "",
    "REL": "./models",
    "UP": "..",
    "NAME": "x.env",
    "ABS": "/srv",
    "HOME_": "~/m",
    "URL": "https://x/y.git",
}


@pytest.mark.parametrize(
    "service",
    [
        {"volumes": ["${REL}:/m"]},
        {"volumes": ["$UP/models:/m:ro"]},
        {"volumes": ["${OTHER:-${REL}}:/m"]},
        {"volumes": ["${REL:-/srv}:/m"]},
        {"volumes": ["./${NAME}:/m"]},
        # A default tells what is usual.
        {"volumes": ["${OTHER:-./data}:/m"]},
        {"env_file": ["${EMPTY:-./x.env}"]},
        {"build": "${OTHER:-conf}"},
        {"volumes": ["${REL:-./models}/x:/m"]},
        {"volumes": [{"type": "bind", "source": "${NAME}", "target": "/m"}]},
        {"env_file": "${NAME}"},
        {"env_file": [{"path": "${NAME}", "required": False}]},
        {"build": "${REL}"},
        {"build": {"context": "${REL}"}},
    ],
)
def test_relative(service: dict[str, Any]) -> None:
    assert has_relative_value(service, VALUES)


@pytest.mark.parametrize(
    "service",
    [
        {},
        {"volumes": ["./here:/m", "named:/n", "${ABS}:/m", "$HOME_:/h", "$$REL:/x"]},
        {"volumes": ["${OTHER:-/data}:/m", "${OTHER:-data}:/n"], "env_file": "${OTHER:-~/x.env}"},
        # Compose takes it for the name of a volume.
        {"volumes": ["${NAME}:/m", {"type": "volume", "source": "${NAME}", "target": "/n"}]},
        {"environment": {"A": "${REL}"}, "command": ["${REL}"]},
        {"build": {"context": "${URL}"}},
        {"env_file": "${UNSET}"},
    ],
)
def test_not_relative(service: dict[str, Any]) -> None:
    assert not has_relative_value(service, VALUES)
