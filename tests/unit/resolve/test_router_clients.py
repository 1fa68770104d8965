"""Clients of a router: by the variables of their keys, or by the digests of them, and what is wrong with them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from haproxy_words import load_cfg
from inventories import BOX, Fault, compared, faults_of

from anvil_gen.deploy.pipeline import Generator

TIER = '[tiers.one]\nengine = "llamacpp"\nmodel = { file = "/m/x.gguf" }\nport = 9000\n'
HEAD = f"schema = 1\n{TIER}[router]\n"
LAPTOP, SERVER = (hashlib.sha256(key).hexdigest() for key in (b"key of the laptop", b"key of the server"))
NOTHING = hashlib.sha256(b"").hexdigest()
MAP = "router/clients.map"


def files_of(folder: Path, router: str, *, more: str = "") -> dict[str, str]:
    inventory = folder / "box.toml"
    inventory.write_text(f"{HEAD}{router}\n{more}", "utf-8")
    return dict(Generator().render(inventory).tree.files)


def entries(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_a_client_is_a_line_by_its_name_in_the_case_that_haproxy_looks_for(tmp_path: Path) -> None:
    files = files_of(tmp_path, f'api_key_sha256.server = "{SERVER}"\napi_key_sha256.laptop = "{LAPTOP.upper()}"')

    assert entries(files[MAP]) == [f"{LAPTOP} laptop", f"{SERVER} server"]
    found = [line for line in load_cfg(files["router/haproxy.cfg"], "x") if line[1:2] == ["set-var(txn.client)"]]
    assert [line[2] for line in found] == [
        f"var(txn.{sent}),hex,lower,map_str(/etc/router/clients.map)" for sent in ("bearer", "x_api_key")
    ]


def test_one_more_or_another_key_is_one_line_of_the_list_and_a_digest_of_the_file(tmp_path: Path) -> None:
    """Nothing of the router itself: its reload service has the digest of the list."""
    one = f'api_key_sha256.laptop = "{LAPTOP}"'
    before = files_of(tmp_path, one)
    for changed in (f'{one}\napi_key_sha256.server = "{SERVER}"', one.replace(LAPTOP, SERVER)):
        after = files_of(tmp_path, changed)
        assert {path for path in after if after[path] != before[path]} == {
            *(MAP, "router/compose.yml", "router/health.json")
        }
        assert len(set(entries(after[MAP])) - set(entries(before[MAP]))) == 1
        was, now = (yaml.safe_load(files["router/compose.yml"])["services"] for files in (before, after))
        assert now["router"] == was["router"]
        assert now["router-reload"]["environment"] != was["router-reload"]["environment"]


def test_both_kinds_stand_next_to_each_other(tmp_path: Path) -> None:
    files = files_of(tmp_path, f'api_key_env.server = "SERVER_KEY"\napi_key_sha256.laptop = "{LAPTOP}"')

    service = yaml.safe_load(files["router/compose.yml"])["services"]["router"]
    assert service["environment"] == {"SERVER_KEY": None}
    assert entries(files[".env.example"])[1:] == ["SERVER_KEY="]
    assert entries(files[MAP]) == [f"{LAPTOP} laptop"]
    by_variable = [line for line in load_cfg(files["router/haproxy.cfg"], "x") if "set-var-fmt(txn.client)" in line]
    assert [line[2] for line in by_variable] == ["server"]


def test_digests_alone_leave_the_router_no_variable(tmp_path: Path) -> None:
    files = files_of(tmp_path, f'bind = "0.0.0.0"\napi_key_sha256.laptop = "{LAPTOP}"')

    assert "environment" not in yaml.safe_load(files["router/compose.yml"])["services"]["router"]
    assert ".env.example" not in files
    assert any("401" in line for line in load_cfg(files["router/haproxy.cfg"], "x"))


def test_without_one_there_is_no_list(tmp_path: Path) -> None:
    assert MAP not in files_of(tmp_path, 'api_key_env = "KEY"')


def test_all_modes_have_one_list(tmp_path: Path) -> None:
    """A client is a line of one file, however many modes there are."""
    files = files_of(
        tmp_path, f'api_key_sha256.laptop = "{LAPTOP}"', more='[modes.night]\ntiers = ["one"]\naliases.x = "one"\n'
    )

    assert [path for path in files if "clients" in path] == [MAP]
    for cfg, health in (("haproxy.cfg", "health.json"), ("haproxy.night.cfg", "health.night.json")):
        assert "map_str(/etc/router/clients.map)" in files[f"router/{cfg}"]
        assert "ROUTER_FILE_clients_map" in json.loads(files[f"router/{health}"])


@pytest.mark.parametrize(
    ("target", "changed"),
    [
        # A pod sees a ConfigMap change.
        ("kubernetes", {"router-files.yaml"}),
        ("quadlet", {MAP, "router/health.json", "box-router-reload.container"}),
    ],
)
def test_no_target_starts_the_router_again_for_one_more(target: str, changed: set[str], tmp_path: Path) -> None:
    def rendered(more: str) -> dict[str, str]:
        inventory = tmp_path / "box.toml"
        inventory.write_text(f'{BOX}{more}api_key_sha256.laptop = "{LAPTOP}"\n', "utf-8")
        return dict(Generator().render(inventory, target=target).tree.files)

    before, after = rendered(""), rendered(f'api_key_sha256.server = "{SERVER}"\n')
    found = {path for path in after if before[path] != after[path]}
    assert found == changed
    assert "\n".join(after[path] for path in found).count(f"{SERVER} server") == 1


FAULTS: list[tuple[str, list[Fault]]] = [
    (
        f'api_key_env.laptop = "KEY"\napi_key_sha256.▸laptop = "{LAPTOP}"',
        [("client named twice", "router.api_key_sha256.laptop", "take it out of api_key_env")],
    ),
    # Without a name, a client is called after its variable.
    (
        f'api_key_env = "KEY"\napi_key_sha256.▸KEY = "{LAPTOP}"',
        [("client named twice", "router.api_key_sha256.KEY", "another name")],
    ),
    (
        f'api_key_sha256.laptop = "{LAPTOP}"\napi_key_sha256.phone = ▸"{LAPTOP.upper()}"',
        [("key taken twice", "router.api_key_sha256.phone", "laptop, phone share it")],
    ),
    (
        f'api_key_sha256.laptop = ▸"{NOTHING}"\napi_key_sha256.phone = ▸"{NOTHING}"',
        [
            ("digest of no key", "router.api_key_sha256.laptop", "make a key first"),
            ("digest of no key", "router.api_key_sha256.phone", "make a key first"),
        ],
    ),
    *(
        (
            f'api_key_sha256.laptop = ▸"{digest}"',
            [("not of the right form", "router.api_key_sha256.laptop", "64 hexadecimal digits")],
        )
        for digest in (LAPTOP[:-1], f"{LAPTOP}0", f"sha256:{LAPTOP}", f"{LAPTOP[:-1]}g", f"{LAPTOP}\\n")
    ),
    # Prometheus would have no key to send.
    (
        f'metrics = ▸"key"\napi_key_sha256.laptop = "{LAPTOP}"\n[monitoring]',
        [("conflicting values", "router.metrics", "in api_key_env, or write a port")],
    ),
    (f'metrics = "key"\napi_key_sha256.laptop = "{LAPTOP}"\napi_key_env = "KEY"\n[monitoring]', []),
    (f'metrics = "key"\napi_key_sha256.laptop = "{LAPTOP}"', []),
    # What belongs there, of what is not shown.
    *(
        (f"api_key_{kind} = ▸{value}", [("wrong type", f"router.api_key_{kind}", remedy)])
        for kind, remedy in (("env", "the name of a variable"), ("sha256", "--new-key NAME"))
        for value in ("5", "{ laptop = { a = 2 } }", "{ laptop = 12345 }", "{ laptop = { abcd = 1 } }")
    ),
    ("api_key_sha256 = ▸{}", [("not of the right form", "router.api_key_sha256", "by the SHA-256 digest")]),
]


@pytest.mark.parametrize(("router", "expected"), FAULTS)
def test_what_is_wrong_is_told_at_its_place(router: str, expected: list[Fault], tmp_path: Path) -> None:
    found, wanted = compared(f"{HEAD}{router}\n", expected, tmp_path)

    assert found == wanted


@pytest.mark.parametrize(
    "router",
    [
        "api_key_sha256.laptop = 's3cret'",
        "api_key_sha256 = 's3cret'",
        "api_key_sha256.laptop = 's3cret that is as long as a digest is, and is none, whatever'",
        "api_key_sha256.s3cret = 'laptop'",
        f"api_key_sha256.'a s3cret' = '{LAPTOP}'",
        "[router.api_key_sha256]\ns3cret = 'laptop'",
        "[router.api_key_sha256]\nlaptop = 's3cret'",
    ],
)
def test_a_key_in_place_of_its_digest_is_not_shown(router: str, tmp_path: Path) -> None:
    diagnostics = faults_of(f"{HEAD}{router}\n", tmp_path)

    assert diagnostics != ()
    assert "s3cret" not in "".join(
        f"{one.summary}{one.address}{one.detail}{one.remedy}{one.location and one.location.source}"
        for one in diagnostics
    )


def test_a_key_is_a_key_of_a_router_beyond_loopback(tmp_path: Path) -> None:
    """One that is malformed is reported by itself, and not as if there were none."""
    assert [one.summary for one in faults_of(f'{HEAD}bind = "0.0.0.0"\napi_key_sha256.a = "x"\n', tmp_path)] == [
        "not of the right form"
    ]
