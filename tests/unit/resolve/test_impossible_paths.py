"""Paths that cannot be: two files in one another, names that no file system has, mounts over everything."""

from __future__ import annotations

from pathlib import Path
from time import process_time

import pytest
from inventories import Fault, compared

from anvil_gen.host_paths import is_root
from anvil_gen.inventory.fleet import leads_above
from anvil_gen.resolve.impossible_paths import file_errors

TIER = 'engine = "vllm"\nmodel = { path = "/m/x" }\n'
WHOLE = "mount of the whole host"
ABOVE = "path that only leads out of the fleet"


@pytest.mark.parametrize(
    ("targets", "mounted", "refused"),
    [
        (["/a", "/a/b"], [], ["/a/b"]),
        (["/a/b", "/a/b/c/d", "/a/c"], [], ["/a/b/c/d"]),
        (["/a", "/A"], [], ["/a"]),  # which one folder of macOS or Windows cannot hold
        (["/a", "/ab", "/a.b/c"], [], []),
        (["/models/x"], ["/models/x"], ["/models/x"]),
        (["/models"], ["/models/x"], ["/models"]),
        (["/models/x/chat.jinja"], ["/models/x"], []),  # over what the model brings
        (["/"], [], ["/"]),
        (["//a"], [], ["//a"]),
        (["/a/"], [], ["/a/"]),
        (["/a//b"], [], ["/a//b"]),
        (["/a/./b"], [], ["/a/./b"]),
        (["/a/../b"], [], ["/a/../b"]),
        (["/" + "x" * 256], [], ["/" + "x" * 256]),
        (["/x" * 501], [], ["/x" * 501]),
        (["/a\\..\\b"], [], ["/a\\..\\b"]),
        (["/x/.anvil-gen-0123456789ab.tmp"], [], ["/x/.anvil-gen-0123456789ab.tmp"]),
        (["/ü/a b"], [], []),
        (["/proc/self/environ", "/process/a"], [], ["/proc/self/environ"]),
    ],
)
def test_files(targets: list[str], mounted: list[str], refused: list[str]) -> None:
    assert [target for target, *_ in file_errors(targets, mounted)] == refused


def test_many_files_take_no_more_than_their_number() -> None:
    began = process_time()
    found = list(file_errors([*(f"/a/{at}" for at in range(20_000)), "/a/7/b"], [f"/m/{at}" for at in range(1000)]))

    assert [target for target, *_ in found] == ["/a/7/b"]
    assert process_time() - began < 5


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        *[(path, True) for path in ("/", "//", "/.", "/a/..", "C:/", "C:\\", "d:/x/..", "//server/share")],
        *[
            (path, True)
            for path in ("/proc/1/root", "/proc/self/root/", "//proc/./thread-self/task/1/root", "/proc/1/cwd")
        ],
        *[(path, False) for path in ("/proc", "/proc/root", "/proc/1/root/etc", "/a/proc/1/root")],
        *[(path, False) for path in ("/a", "C:", "C:/a", "//server/share/a", ".", "a")],
    ],
)
def test_the_root_of_a_file_system(path: str, expected: bool) -> None:
    assert is_root(path) is expected


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        (
            f'[tiers.one]\n{TIER}[tiers.one.files]\n"/a" = "a"\n▸"/a/b" = "a"\n',
            [("name that is not allowed", 'tiers.one.files."/a/b"', "another way")],
        ),
        (
            f'[defaults.files]\n"/a" = "a"\n▸"/models/x" = "a"\n[tiers.one]\n{TIER}',
            [("name that is not allowed", 'defaults.files."/models/x"', "another way")],
        ),
        (
            f'[tiers.one]\n{TIER}[▸modes.override]\ntiers = ["one"]\n',
            [("name that is not allowed", "modes.override", "another name")],
        ),
        (
            f'[tiers.one]\n{TIER}[tiers.one.mounts]\n▸"/proc/x" = {{ source = "/a" }}\n',
            [("name that is not allowed", 'tiers.one.mounts."/proc/x"', "of its own")],
        ),
        (f'hfcache.path = ▸"/srv/.."\n[tiers.one]\n{TIER}', [(WHOLE, "hfcache.path", "of its own")]),
        (
            f'[tiers.one]\n{TIER}[router]\ntls = {{ certificate = ▸"/", key = "/k" }}\n',
            [(WHOLE, "router.tls.certificate", "of its own")],
        ),
        (
            f'[tiers.one]\n{TIER}override.volumes = ["/:/host:ro", ▸"/:/host2", ▸"data:/", "data:/d"]\n',
            [(WHOLE, "tiers.one.override.volumes[1]", "read-only"), (WHOLE, "tiers.one.override.volumes[2]", "folder")],
        ),
        (
            f'[tiers.one]\n{TIER}override.volumes = {{ add = ["/:/host:ro", ▸"/./:/host2", ▸"/a:/proc/x"] }}\n',
            [
                (WHOLE, "tiers.one.override.volumes.add[1]", "read-only"),
                ("name that is not allowed", "tiers.one.override.volumes.add[2]", "of its own"),
            ],
        ),
        (
            f'[tiers.one]\n{TIER}[volumes.all.driver_opts]\ntype = "none"\no = "bind"\ndevice = ▸"/"\n'
            '[volumes.read.driver_opts]\ntype = "none"\no = "bind,ro"\ndevice = "/"\n',
            [(WHOLE, "volumes.all.driver_opts.device", "read-only")],
        ),
        (
            f'[tiers.one]\n{TIER}[services.ui]\nimage = "x"\nvolumes = [\n'
            '{ type = "bind", source = "/", target = "/a", read_only = true },\n'
            '▸{ type = "bind", source = "C:/", target = "/b" },\n▸{ type = "tmpfs", target = "/x/.." }]\n',
            [(WHOLE, "services.ui.volumes[1]", "read-only"), (WHOLE, "services.ui.volumes[2]", "folder")],
        ),
        (
            f'[tiers.one]\n{TIER}[services.ui]\nbuild.context = ▸"/"\nbuild.additional_contexts = ["a=/a", ▸"b=/."]\n',
            [
                (WHOLE, "services.ui.build.context", "of its own"),
                (WHOLE, "services.ui.build.additional_contexts[1]", "of its own"),
            ],
        ),
    ],
)
def test_in_an_inventory(marked: str, expected: list[Fault], tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text\n")
    told, wanted = compared(f"schema = 1\n{marked}", expected, tmp_path)

    assert told == wanted


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        *[
            (path, True)
            for path in ("../..", "../../", "../../.", "../.././", "./../..", "a/../../..", "../../../.././..")
        ],
        *[(path, True) for path in ("..\\..", "~/..", "~/../..", "~/./a/../..")],
        *[
            (path, False)
            for path in ("..", "../", "../.", ".", "", "../../a", "../a/..", "~", "~/a", "/..", "a..", "...")
        ],
    ],
)
def test_what_only_climbs(written: str, expected: bool) -> None:
    """From `hosts/`, the fleet is one folder up; where that lies, its inventory does not say."""
    assert leads_above(written, Path("fleet/hosts/box.toml")) is expected


def test_a_host_outside_of_a_fleet_has_nothing_above() -> None:
    assert leads_above("..", Path("box.toml"))
    assert not leads_above(".", Path("box.toml"))


UI = f"[tiers.one]\n{TIER}[services.ui]\nimage = 'x'\n"
CLIMBS: list[tuple[str, str]] = [
    (f'[tiers.one]\n{TIER}mounts."/x" = ▸"../../.."\n', 'tiers.one.mounts."/x"'),
    (
        f'[tiers.one]\n{TIER}mounts."/x" = {{ source = ▸"../../../.", read_only = true }}\n',
        'tiers.one.mounts."/x".source',
    ),
    (f'[tiers.one]\n{TIER}[defaults]\nmounts."/x" = ▸"../../../"\n', 'defaults.mounts."/x"'),
    (f'[tiers.one]\n{TIER}[router]\napi_key_env = "KEY"\nmounts."/x" = ▸"../.."\n', 'router.mounts."/x"'),
    (f'[tiers.one]\n{TIER}env_file = [▸"../.././.."]\n', "tiers.one.env_file[0]"),
    (f'[tiers.one]\n{TIER}build = {{ context = ▸"../.." }}\n', "tiers.one.build.context"),
    (f'[tiers.one]\n{TIER}override.volumes = ["./a:/x", ▸"../..:/y:ro"]\n', "tiers.one.override.volumes[1]"),
    (f'[tiers.one]\n{TIER}override.volumes = {{ add = [▸"../.././..:/y"] }}\n', "tiers.one.override.volumes.add[0]"),
    (f'{UI}volumes = [{{ type = "bind", source = ▸"../..", target = "/x" }}]\n', "services.ui.volumes[0].source"),
    (f'{UI}volumes = [▸{{ interpolate = "${{A:-../..}}:/x" }}]\n', "services.ui.volumes[0]"),
    (f'{UI}volumes = ["~/a:/w", ▸"~/..:/x"]\n', "services.ui.volumes[1]"),
    (f'{UI}volumes = [▸{{ interpolate = "${{A:-~/../..}}:/x" }}]\n', "services.ui.volumes[0]"),
    (f'{UI}env_file = ▸"../.."\n', "services.ui.env_file"),
    (f"{UI}label_file = [▸'../..']\n", "services.ui.label_file[0]"),
    (
        f'{UI}build = {{ context = ".", additional_contexts = {{ all = ▸"../.." }} }}\n',
        "services.ui.build.additional_contexts.all",
    ),
    (
        f'{UI}[volumes.all.driver_opts]\ntype = "none"\no = "bind"\ndevice = ▸"../.."\n',
        "volumes.all.driver_opts.device",
    ),
    (f'hfcache.path = ▸"../.."\n[tiers.one]\n{TIER}', "hfcache.path"),
    (f'paths.models = ▸"../.."\n[tiers.one]\n{TIER}', "paths.models"),
]


@pytest.mark.parametrize(("marked", "place"), CLIMBS)
def test_nothing_but_a_way_out_is_no_path(marked: str, place: str, tmp_path: Path) -> None:
    told, wanted = compared(f"schema = 1\n{marked}", [(ABOVE, place, "from the root on")], tmp_path)

    assert told == wanted


@pytest.mark.parametrize("source", ["/", "//.", "/proc/1/root", "/proc/self/cwd/"])
def test_no_mount_has_all_of_the_host(source: str, tmp_path: Path) -> None:
    marked = f'[tiers.one]\n{TIER}mounts."/x" = ▸"{source}"\n'
    told, wanted = compared(f"schema = 1\n{marked}", [(WHOLE, 'tiers.one.mounts."/x"', "the folder")], tmp_path)

    assert told == wanted


def test_a_default_of_a_variable_may_be_all_of_the_host_too(tmp_path: Path) -> None:
    marked = f'{UI}volumes = [▸{{ type = "bind", source = {{ env = "A", default = "/" }}, target = "/x" }}]\n'
    told, wanted = compared(f"schema = 1\n{marked}", [(WHOLE, "services.ui.volumes[0]", "read-only")], tmp_path)

    assert told == wanted
