"""The cards of the pretended machine, and the `nvidia-smi` that lists them."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

HOSTS = Path(__file__).resolve().parents[2] / "hosts"
DRIVER_VERSION = "575.57.08"


class Card(NamedTuple):
    """A card as `nvidia-smi` tells of it; unified memory is told as 0 MiB here, and as `[N/A]` there."""

    uuid: str
    name: str
    memory_mib: int
    compute_capability: str = "12.0"


def cards_of(*hosts: str) -> list[Card]:
    """Return the cards that the reference inventories of some hosts name."""
    inventories = [tomllib.loads((HOSTS / f"{host}.toml").read_text("utf-8")) for host in hosts]
    return [
        Card(gpu["uuid"], f"NVIDIA {name}", gpu["memory_mib"], gpu["compute_capability"])
        for inventory in inventories
        for name, gpu in inventory["gpus"].items()
    ]


def write_nvidia_smi(path: Path, cards: Sequence[Card]) -> Path:
    """Write an executable `nvidia-smi` that lists the cards, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nvidia_smi(cards), "utf-8")
    path.chmod(0o755)
    return path


def nvidia_smi(cards: Sequence[Card]) -> str:
    """Return the text of a program that answers `-L` and `--query-gpu=FIELDS --format=csv[,noheader][,nounits]`.

    `-i UUID` or an index picks one card. It needs nothing but a POSIX shell, so it runs in any container.
    """
    rows = [
        f"{index}|{card.uuid}|{card.name}|{card.memory_mib}|{card.compute_capability}"
        for index, card in enumerate(cards)
    ]
    return PROGRAM.format(cards=shlex.quote("\n".join(rows)), driver=DRIVER_VERSION)


PROGRAM = """#!/bin/sh
# A stand-in for nvidia-smi: it lists the cards that this place was granted.
set -eu
cards={cards}
fields='' header=1 units=' MiB' only=''
while [ "$#" -gt 0 ]; do
	case $1 in
	-L | --list-gpus) fields=list header=0 ;;
	--query-gpu=*) fields=${{1#*=}} ;;
	--format=*)
		case $1 in *noheader*) header=0 ;; esac
		case $1 in *nounits*) units='' ;; esac
		;;
	-i | --id) only=$2 && shift ;;
	--id=*) only=${{1#*=}} ;;
	*) echo "Invalid combination of input arguments. Please run 'nvidia-smi -h' for help." && exit 2 ;;
	esac
	shift
done
[ -n "$fields" ] || fields=index,name,memory.total
if [ -z "$cards" ]; then
	echo "No devices were found"
	exit 6
fi
IFS=,
set -f
set -- $fields
[ "$header" -eq 0 ] || echo "$*"
echo "$cards" | while IFS='|' read -r index uuid name memory capability; do
	case $only in '' | "$index" | "$uuid") ;; *) continue ;; esac
	free=$memory$units used=0$units
	if [ "$memory" -eq 0 ]; then free='[N/A]' used='[N/A]'; fi
	line=''
	for field in "$@"; do
		case $field in *\\ *) field=${{field#\\ }} ;; esac
		case $field in
		list) value="GPU $index: $name (UUID: $uuid)" ;;
		index) value=$index ;;
		uuid | gpu_uuid) value=$uuid ;;
		name | gpu_name) value=$name ;;
		memory.total | memory.free) value=$free ;;
		memory.used) value=$used ;;
		compute_cap) value=$capability ;;
		driver_version) value={driver} ;;
		*) echo "Field \\"$field\\" is not a valid field to query." && exit 2 ;;
		esac
		line=${{line:+$line, }}$value
	done
	echo "$line"
done
"""
