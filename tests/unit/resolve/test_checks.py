"""What is wrong between the parts of an inventory: names, ports and cards taken twice, shares, addresses."""

from __future__ import annotations

from pathlib import Path

import pytest
from inventories import HUB, UUID_A, UUID_B, Fault, compared, faults_of

HEAD = f"""\
schema = 1
hfcache.volume = "hub"
gpus.big = {{ uuid = "{UUID_A}", memory_mib = 24000, reserve_mib = 1200 }}
gpus.small = {{ uuid = "{UUID_B}" }}
"""
TIER = f'engine = "vllm", model = {HUB}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"tiers.one = {{ {TIER}, port = 8000 }}\ntiers.two = {{ {TIER}, port = ▸8000 }}\n[▸router]",
            [("port taken twice", "tiers.two.port", "port = 8001"), ("port taken twice", "router", "port = 8002")],
        ),
        (
            f"tiers.one = {{ {TIER} }}\ntiers.▸two = {{ {TIER} }}",
            [("port taken twice", "tiers.two", "port = 8002")],
        ),
        (
            f"tiers.one = {{ {TIER}, port = 9000 }}\ntiers.two = {{ {TIER}, port = ▸9000, bind = '0.0.0.0' }}",
            [("port taken twice", "tiers.two.port", "port = 9001")],
        ),
        (
            f"tiers.one = {{ {TIER}, ipc = ▸'service:one' }}",
            [("not for this service", "tiers.one.ipc", "name another service")],
        ),
        (
            f"tiers.one = {{ {TIER} }}\nhost.output = ▸'.'",
            [("not a folder for the tree", "host.output", "../deploy/box")],
        ),
        (
            f"tiers.one = {{ {TIER} }}\nhost.output = ▸'..\\deploy'",
            [("not a folder for the tree", "host.output", "forward slashes")],
        ),
        (
            f"tiers.one = {{ {TIER}, bind = ▸'192.168.1.5' }}",
            [("tier without a key beyond loopback", "tiers.one.bind", "the router")],
        ),
        (
            f"tiers.one = {{ {TIER}, port = 65535 }}\ntiers.two = {{ {TIER}, port = ▸65535 }}",
            [("port taken twice", "tiers.two.port", "a lower port that is free")],
        ),
        (
            f"tiers.one = {{ {TIER}, port = 30002 }}\n[▸experiment]\nengine = 'vllm'",
            [("port taken twice", "experiment", "port = 30003")],
        ),
        (
            f"tiers.one = {{ {TIER} }}\ntiers.two = {{ {TIER}, port = 1, service = ▸'One' }}",
            [("service taken twice", "tiers.two.service", 'set another "service" for tier "two"')],
        ),
        (
            f"tiers.router = {{ {TIER} }}\n[▸router]\n",
            [("service taken twice", "router", 'set another "service" for the router')],
        ),
        (
            f"tiers.one = {{ {TIER} }}\ntiers.two = {{ {TIER}, port = 1, container_name = ▸'one' }}",
            [("container name taken twice", "tiers.two.container_name", "set another")],
        ),
        (
            f"tiers.one = {{ {TIER} }}\ngpus.copy = {{ uuid = ▸'{UUID_A.replace('d0f', 'D0F')}' }}",
            [("UUID taken twice", "gpus.copy.uuid", "nvidia-smi -L")],
        ),
        (
            f"tiers.one = {{ {TIER}, environment.X = {{ env = 'X', default = '' }}, "
            "image = { env = 'I', default = ▸'' } }",
            [("not of the right form", "tiers.one.image.default", "leave the default out")],
        ),
        (
            f"tiers.one = {{ {TIER} }}\nservices.▸one.image = 'x'",
            [("service taken twice", "services.one", "write another name")],
        ),
        (
            f"router = {{}}\ntiers.one = {{ {TIER} }}\nservices.▸router.image = 'x'",
            [("service taken twice", "services.router", "write another name")],
        ),
        (
            f"tiers.one = {{ {TIER} }}\nservices.a = {{ image = 'x', container_name = ▸'one' }}",
            [("container name taken twice", "services.a.container_name", "write another name")],
        ),
        (
            f"tiers.one = {{ {TIER} }}\ntiers.two = {{ {TIER}, port = 1, override.container_name = ▸'one' }}",
            [("container name taken twice", "tiers.two.override.container_name", "write another name")],
        ),
        (
            f"tiers.one = {{ {TIER}, port = 5 }}\n"
            "services.a = { image = 'x', ports = ['6:6', ▸'5:80', ▸'127.0.0.2:5:5', '5:5/udp', "
            "{ interpolate = '${X}:5' }, '1-9:1-9'] }",
            [
                ("port taken twice", "services.a.ports[1]", "publish another port"),
                ("port taken twice", "services.a.ports[2]", "publish another port"),  # which ports[1] has too
            ],
        ),
        (
            f"tiers.one = {{ {TIER}, port = 5 }}\ntiers.two = {{ {TIER}, port = 6, override.ports = [ '7:5' ] }}\n"
            "services.a = { image = 'x', ports = [▸{ published = '7', target = 1 }, { target = 5 }] }",
            [("port taken twice", "services.a.ports[0]", "publish another port")],
        ),
        (
            f"tiers.one = {{ {TIER}, override.container_name = 'x1' }}\ntiers.two = {{ {TIER}, port = 1, "
            "container_name = 'one' }",
            [],
        ),
        # The file of a tier may have a second service.
        (
            f"tiers.one = {{ engine = 'ollama', model.repo = 'qwen3:8b' }}\ntiers.▸one-pull = {{ {TIER} }}",
            [("service taken twice", "tiers.one-pull", "write another name")],
        ),
        # Vendors that number their cards number them each by themselves.
        (
            f"tiers.one = {{ {TIER} }}\ngpus.a = {{ vendor = 'amd', uuid = '0' }}\n"
            "gpus.i = { vendor = 'intel', uuid = '0' }\n"
            "gpus.j = { vendor = 'intel', uuid = ▸'0' }",
            [("UUID taken twice", "gpus.j.uuid", "sycl-ls")],
        ),
        (
            f"tiers.one = {{ {TIER} }}\ngpus.a = {{ vendor = ▸'amd', uuid = '0' }}\nhost.platform = 'wsl2'",
            [("not on this platform", "gpus.a.vendor", "take another GPU")],
        ),
        (
            f"tiers.one = {{ {TIER} }}\n"
            f"gpus.full = {{ uuid = 'MIG-{UUID_A[4:]}', memory_mib = 8000, reserve_mib = ▸8000 }}",
            [("number out of range", "gpus.full.reserve_mib", "write less than 8000")],
        ),
        (
            f"tiers.one = {{ {TIER}, bind = ▸'localhost' }}",
            [("not an IP address", "tiers.one.bind", '"127.0.0.1"')],
        ),
        (
            f"tiers.one = {{ {TIER}, bind = ▸'fe80::1%eth0' }}",
            [("not an IP address", "tiers.one.bind", '"127.0.0.1"')],
        ),
        (
            f"tiers.one = {{ {TIER} }}\nrouter.bind = ▸'0.0.0.0'",
            [("router without a key beyond loopback", "router.bind", "api_key_env")],
        ),
        (
            f"tiers.one = {{ {TIER} }}\nrouter = {{ bind = '0.0.0.0', api_key_env = ▸'sk-1' }}",
            [("not of the right form", "router.api_key_env", "ROUTER_TOKEN")],
        ),
        (
            f"tiers.one = {{ {TIER} }}\nrouter.bind = ▸'::'",
            [("router without a key beyond loopback", "router.bind", "api_key_env")],
        ),
        (
            f"tiers.one = {{ {TIER} }}\nhost.project = 'p'\nexperiment = {{ engine = 'vllm', project = ▸'p' }}",
            [("project taken twice", "experiment.project", "[experiment]")],
        ),
    ],
)
def test_a_thing_is_taken_twice_or_refused(tmp_path: Path, text: str, expected: list[Fault]) -> None:
    found, wanted = compared(HEAD + text, expected, tmp_path)

    assert found == wanted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"tiers.▸one = {{ {TIER}, gpus = ['big'] }}\ntiers.▸two = {{ {TIER}, gpus = ['big'], port = 1 }}",
            [
                ("GPU shared without shares", "tiers.one", "gpu_memory_utilization (or gpu_memory)"),
                ("GPU shared without shares", "tiers.two", "gpu_memory_utilization (or gpu_memory)"),
            ],
        ),
        (
            f"tiers.one = {{ {TIER}, gpus = ['small'], gpu_memory_utilization = 0.6 }}\n"
            f"tiers.two = {{ {TIER}, gpus = ['small'], port = 1, gpu_memory_utilization = ▸0.5 }}",
            [("shares above the whole GPU", "tiers.two.gpu_memory_utilization", "lower them")],
        ),
        (
            f"tiers.one = {{ {TIER}, gpus = ['big'], gpu_memory_utilization = ▸0.96 }}",
            [("shares above the whole GPU", "tiers.one.gpu_memory_utilization", "lower them")],
        ),
        (
            f"tiers.one = {{ {TIER}, gpus = ['big'], gpu_memory = '12000MiB' }}\n"
            f"tiers.two = {{ {TIER}, gpus = ['big'], port = 1, gpu_memory = ▸'11GiB' }}",
            [("shares above the whole GPU", "tiers.two.gpu_memory", "move a tier to another GPU")],
        ),
        (
            f"tiers.one = {{ {TIER}, gpus = ['small'], gpu_memory_utilization = ▸'x' }}\n"
            f"tiers.two = {{ {TIER}, gpus = ['small'], port = 1, gpu_memory_utilization = ▸5.0 }}",
            [
                ("wrong type", "tiers.one.gpu_memory_utilization", "0.9"),
                ("number out of range", "tiers.two.gpu_memory_utilization", "0.9"),
            ],
        ),
        (
            f"tiers.one = {{ {TIER}, gpus = ['big'], gpu_memory_utilization = 0.5 }}\n"
            f"tiers.two = {{ {TIER}, gpus = ['big'], port = 1, gpu_memory_utilization = 0.45 }}",
            [],
        ),
    ],
)
def test_a_card_is_shared(tmp_path: Path, text: str, expected: list[Fault]) -> None:
    found, wanted = compared(HEAD + text, expected, tmp_path)

    assert found == wanted


@pytest.mark.parametrize(
    "text",
    [
        f"tiers.one = {{ {TIER}, container_port = 80 }}\ntiers.two = {{ {TIER}, container_port = 80, bind = false }}",
        f"tiers.one = {{ {TIER}, bind = '::1' }}",
        f"defaults.container_port = 80\ntiers.one = {{ {TIER} }}\ntiers.two = {{ {TIER}, bind = '127.0.0.2' }}",
        f"tiers.one = {{ {TIER}, bind = '192.168.1.5', flags.api-key = {{ env = 'A_KEY' }} }}",
        f"tiers.one = {{ {TIER} }}\nrouter = {{ bind = '0.0.0.0', api_key_env = 'KEY' }}",
        f"tiers.one = {{ {TIER} }}\nrouter.bind = false",
        # The slot runs beside a tier of the same engine, so its port is not the engine's.
        f"tiers.one = {{ {TIER} }}\nexperiment = {{ engine = 'vllm' }}",
        f"tiers.one = {{ {TIER} }}\ngpus.slice = {{ uuid = 'MIG-{UUID_A}/1/2' }}",
    ],
)
def test_nothing_is_wrong(tmp_path: Path, text: str) -> None:
    assert faults_of(HEAD + text, tmp_path) == ()


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("MyBox", 'set name = "mybox" in [host]'),
        ("my.box é", 'set name = "my-box" in [host]'),
        ("é", 'set name = "my-box" in [host]'),
        ("b" * 64, f'set name = "{"b" * 63}" in [host]'),
    ],
)
def test_a_file_name_that_is_no_project_name(tmp_path: Path, name: str, remedy: str) -> None:
    diagnostics = faults_of(HEAD + f"tiers.one = {{ {TIER} }}\n", tmp_path, name=name)

    assert [(diagnostic.summary, diagnostic.address, diagnostic.remedy) for diagnostic in diagnostics] == [
        ("name that Compose refuses", "host", remedy)
    ]
    assert faults_of(HEAD + f"tiers.one = {{ {TIER} }}\nhost.name = 'box'\n", tmp_path, name=name) == ()
