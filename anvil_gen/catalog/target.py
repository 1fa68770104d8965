"""The data of a target: `templates/targets/<name>/target.toml`, what a host can be rendered for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from anvil_gen.values import interpolations

FieldReasons = Annotated[
    Mapping[str, str], Meta(description="Key of the inventory, `*` for any name in it -> what is to be said of it.")
]


class KeyWords(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What becomes of the keys of a Compose service. One that is named nowhere is refused."""

    said: Annotated[tuple[str, ...], Meta(description="Keys that its templates say.")] = ()
    left_out: Annotated[Mapping[str, str], Meta(description="Key that means nothing there -> why.")] = {}
    refused: Annotated[Mapping[str, str], Meta(description="Key that it has no word for -> why.")] = {}

    def refusal(self, key: str) -> str:
        """Return why a key cannot be said; empty where it can, or means nothing there."""
        if key in self.said or key in self.left_out:
            return ""
        return self.refused.get(key, "this key of Compose is not translated")


class GroupWords(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How the ranks of a group find each other there."""

    alike: Annotated[str, Meta(description="Why all hosts after the first must be alike.")]
    values: Annotated[
        Mapping[str, str],
        Meta(
            description="Placeholder of an engine's `[multi_node]` -> what stands for it; `${NAME}` is a variable that "
            "each rank has."
        ),
    ]
    worker: Annotated[str, Meta(description="Address of a further host: `{service}` and `{rank}` are filled in.")]

    @property
    def names(self) -> frozenset[str]:
        """The variables that each rank has."""
        return frozenset(one.name for value in self.values.values() for one in interpolations(value))


class Target(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What a host can be rendered for, by the templates in its `tree/`. Without one it is the deploy tree itself."""

    title: Annotated[str, Meta(description="Its name for people.")]
    docs: Annotated[str, Meta(description="Where its format is documented.")]
    syntax: Annotated[
        Literal["compose", "manifest", "unit"], Meta(description="How its files are quoted, and read back.")
    ]
    name_pattern: Annotated[
        str, Meta(description="Names of services that it takes, as a regular expression; empty for any.")
    ] = ""
    name_help: Annotated[str, Meta(description="What `name_pattern` says, in words.")] = ""
    non_root: Annotated[
        bool, Meta(description="Containers run without root where the image is known to allow it (`run_as`).")
    ] = False
    host_paths: Annotated[
        bool, Meta(description="Any folder of the host can be mounted; otherwise only models and the shared cache.")
    ] = True
    groups: Annotated[str, Meta(description="Why a tier that runs on several hosts cannot be said there.")] = ""
    group: Annotated[
        GroupWords | None,
        Meta(description="How its ranks find each other, where the files of the first host say all of a group."),
    ] = None
    gpu_claims: Annotated[bool, Meta(description="GPUs are claimed by what the vendor's `[claim]` says.")] = False
    operated_by: Annotated[
        Literal["", "compose", "systemd"],
        Meta(description="What the verbs speak to on a host of this target; empty where they cannot."),
    ] = ""
    prefixed: Annotated[bool, Meta(description="Names begin with that of the project: a machine has all in one.")] = (
        False
    )
    full_images: Annotated[bool, Meta(description="Images are named with their registry.")] = False
    copies_files: Annotated[
        bool, Meta(description="What is mounted of the deploy tree is next to its files, at the same place.")
    ] = False
    secrets: Annotated[
        tuple[str, ...], Meta(description="Keys of the inventory whose values may be variables: they become secrets.")
    ] = ()
    otherwise: Annotated[FieldReasons, Meta(description="Key -> how it is said there.")] = {}
    left_out: Annotated[FieldReasons, Meta(description="Key that means nothing there -> why.")] = {}
    refused: Annotated[FieldReasons, Meta(description="Key that cannot be said there -> why.")] = {}
    keys: Annotated[KeyWords, Meta(description="What becomes of the keys of a Compose service.")] = KeyWords()
