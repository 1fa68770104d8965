"""How hosts of a group cannot disagree, and what each of them has to itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from group_fleets import GROUP, edit, errors, pair, service, write_pair, write_paths

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import DiagnosticError

DISAGREEMENTS = {
    "an image of one host": (
        "hosts/spark-b.toml",
        ('architecture = "arm64"', 'architecture = "amd64"'),
        ("hosts-of-a-group-differ", "processor: spark-a has arm64, and spark-b amd64"),
    ),
    "a GPU less": (
        "groups/sparks.toml",
        ('spark-b = ["gb10"]', "spark-b = []"),
        ("hosts-of-a-group-differ", "spark-a 1, spark-b 0"),
    ),
    "GPUs of another vendor": (
        "hosts/spark-b.toml",
        ('uuid = "GPU-d0f446cf-1771-414c-e116-a39138711a8c"', 'vendor = "amd"\nindex = 0'),
        ("hosts-of-a-group-differ", "vendor of the GPUs: spark-a has nvidia, and spark-b amd"),
    ),
    "one address twice": (
        "hosts/spark-b.toml",
        ("192.168.100.11", "192.168.100.10"),
        ("hosts-of-a-group-differ", 'spark-a and spark-b have "192.168.100.10" both'),
    ),
    "no link": (
        "hosts/spark-b.toml",
        ("[links.roce]", "[links.eth]"),
        ("link-is-missing", "spark-b has no [links.roce]"),
    ),
    "no interface": (
        "hosts/spark-b.toml",
        ('interface = "enp1s0f0np0"\n', ""),
        ("link-is-missing", "[links.roce] of spark-b lacks interface"),
    ),
    "RDMA on one alone": (
        "hosts/spark-b.toml",
        ('hcas = ["rocep1s0f0", "roceP2p1s0f0"]\n', ""),
        ("hosts-of-a-group-differ", "spark-a has RDMA adapters, and spark-b has none"),
    ),
    "a GID index on one alone": (
        "hosts/spark-b.toml",
        ("gid_index = 3\n", ""),
        ("hosts-of-a-group-differ", "spark-a has a gid_index, and spark-b has none"),
    ),
    "a host that is not there": (
        "groups/sparks.toml",
        ('hosts = ["spark-a", "spark-b"]', 'hosts = ["spark-a", "spark-c"]'),
        ("unknown-host", '"spark-c" is no inventory of the fleet'),
    ),
    "a host twice": (
        "groups/sparks.toml",
        ('hosts = ["spark-a", "spark-b"]', 'hosts = ["spark-a", "spark-a"]'),
        ("host-named-twice", '"spark-a" is in this list already'),
    ),
    "a variable of each host": (
        "groups/sparks.toml",
        ("context_length = 32768", 'context_length = { env = "LEN", default = 32768 }'),
        ("variable-where-a-value-is-needed", "may be another one on each host"),
    ),
    "a tier of the same name": (
        "hosts/spark-b.toml",
        ("[gpus.gb10]", '[tiers.big]\nengine = "custom"\n\n[gpus.gb10]'),
        ("tier-name-taken-twice", '"big" is a tier of'),
    ),
    "a rank written out": (
        "groups/sparks.toml",
        ("context_length = 32768", "flags.node-rank = 0"),
        ("not-for-groups", '"--node-rank" is written by the group'),
    ),
    "an interface for all": (
        "groups/sparks.toml",
        ("context_length = 32768", 'environment.NCCL_SOCKET_IFNAME = "eth0"'),
        ("not-for-groups", "NCCL_SOCKET_IFNAME is that of each host's own link"),
    ),
    "an image that each host builds": (
        "groups/sparks.toml",
        ("context_length = 32768", 'build = "."'),
        ("not-for-groups", "each host would build an image of its own"),
    ),
    "an inventory that was copied": (
        "hosts/spark-b.toml",
        ("GPU-d0f446cf-1771-414c-e116-a39138711a8c", "GPU-d0f446cf-1771-414c-e116-a39138710a8c"),
        ("hosts-of-a-group-differ", "and would be one machine"),
    ),
    "an address that only the host itself reaches": (
        "hosts/spark-b.toml",
        ("192.168.100.11", "127.0.0.2"),
        ("not-an-ip-address", 'spark-b has "127.0.0.2"'),
    ),
    "an address of many hosts": (
        "hosts/spark-b.toml",
        ("192.168.100.11", "224.0.0.1"),
        ("not-an-ip-address", 'spark-b has "224.0.0.1"'),
    ),
    "an address of every host": (
        "hosts/spark-b.toml",
        ("192.168.100.11", "255.255.255.255"),
        ("not-an-ip-address", 'spark-b has "255.255.255.255"'),
    ),
    "an address that needs a zone": (
        "hosts/spark-b.toml",
        ("192.168.100.11", "fe80::1"),
        ("not-an-ip-address", 'spark-b has "fe80::1"'),
    ),
    "an address that is spelt in two ways": (
        "hosts/spark-b.toml",
        ("192.168.100.11", "192.168.100.010"),
        ("not-an-ip-address", 'spark-b has "192.168.100.010"'),
    ),
    "a platform on which the engine is told other things": (
        "hosts/spark-b.toml",
        ('architecture = "arm64"', 'architecture = "arm64"\nplatform = "wsl2"'),
        ("hosts-of-a-group-differ", "platform: spark-a has linux, and spark-b wsl2"),
    ),
    "something else that runs it": (
        "hosts/spark-b.toml",
        ('architecture = "arm64"', 'architecture = "arm64"\ntarget = "quadlet"'),
        ("hosts-of-a-group-differ", "target: spark-a has compose, and spark-b quadlet"),
    ),
    "a list of interfaces": (
        "hosts/spark-b.toml",
        ("enp1s0f0np0", "eth0,eth1"),
        ("invalid-form", '"eth0,eth1"'),
    ),
    "a flag in Compose's own keys": (
        "groups/sparks.toml",
        ("context_length = 32768", 'override.entrypoint = ["vllm", "serve", "--nnodes=1"]'),
        ("not-for-groups", "it would be one and the same on every rank"),
    ),
    "GPUs under a name of one host": (
        "hosts/spark-b.toml",
        ("[gpus.gb10]", "[gpus.other]"),
        ("unknown-gpu", '"gb10" is not defined in [gpus]'),
    ),
    "a host that has left": (
        "groups/sparks.toml",
        ('hosts = ["spark-a", "spark-b"]', 'hosts = ["spark-a"]'),
        ("invalid-form", "it has 1; at least 2 are needed"),
    ),
    "a command for all": (
        "groups/sparks.toml",
        ("context_length = 32768", 'override.command = ["serve", "/m", "--node-rank=0"]'),
        ("not-for-groups", "it would be one and the same on every rank"),
    ),
    "an interface for all, by an override": (
        "groups/sparks.toml",
        ("context_length = 32768", 'override.environment.NCCL_SOCKET_IFNAME = "eth0"'),
        ("not-for-groups", "NCCL_SOCKET_IFNAME is that of each host's own link"),
    ),
    "a rank among further arguments": (
        "groups/sparks.toml",
        ("context_length = 32768", 'extra_arguments = "--seed 7 --node_rank=1"'),
        ("not-for-groups", '"--node_rank" is written by the group'),
    ),
    "a version that cannot": (
        "groups/sparks.toml",
        ("context_length = 32768", 'image = "vllm/vllm-openai:v0.11.0"'),
        ("not-for-groups", "0.11.1 is the first that does"),
    ),
}


@pytest.mark.parametrize(("file", "change", "expected"), DISAGREEMENTS.values(), ids=DISAGREEMENTS)
def test_hosts_that_would_disagree_are_an_error(
    tmp_path: Path, file: str, change: tuple[str, str], expected: tuple[str, str]
) -> None:
    write_pair(tmp_path)
    edit(tmp_path / file, *change)

    found = [error for error in errors(tmp_path) if error.code == expected[0] and expected[1] in error.detail]

    assert found, [f"{error.code}: {error.detail}" for error in errors(tmp_path)]
    assert all(error.location is not None and error.location.line for error in found)


SECOND_GROUP = GROUP.replace("[tiers.big]", "[tiers.other]").replace("context_length", "port = 8111\ncontext_length")
SHARE = "gpu_memory_utilization = 0.4\n"
OWN_TIER = '\n[tiers.own]\nengine = "custom"\nimage = "own:1"\nbind = "0.0.0.0"\nport = {}\n'


def test_ranks_that_are_another_program_may_be_on_another_platform(tmp_path: Path) -> None:
    llama = GROUP.replace('"vllm"', '"llamacpp"').replace('path = "big-awq"', 'file = "big.gguf"')
    write_pair(tmp_path, group=llama.replace("context_length", 'image = "me/llama:1"\ncontext_length'))
    edit(tmp_path / "hosts/spark-b.toml", 'architecture = "arm64"', 'architecture = "arm64"\nplatform = "wsl2"')

    _, worker = Generator().render_all(write_paths(tmp_path))
    assert service(worker)["entrypoint"] == ["/app/ggml-rpc-server"]


@pytest.mark.parametrize(
    ("texts", "second_group", "expected"),
    [
        ({}, SECOND_GROUP, ("gpu-shared-without-shares", 'it shares "gb10" with "other"')),
        ({"group": GROUP + SHARE}, SECOND_GROUP + SHARE, ("port-taken-twice", '25000 is published by tier "big"')),
        # Where the head waits for the others, whatever the tier's own port is.
        ({"first": OWN_TIER.format(25000)}, "", ("port-taken-twice", '25000 is published by tier "own"')),
        # SGLang's workers listen too.
        (
            {"second": OWN_TIER.format(30000), "group": GROUP.replace('"vllm"', '"sglang"')},
            "",
            ("port-taken-twice", '30000 is published by tier "own"'),
        ),
    ],
)
def test_what_a_rank_takes_of_one_host_is_its_own(
    tmp_path: Path, texts: dict[str, str], second_group: str, expected: tuple[str, str]
) -> None:
    write_pair(tmp_path, **texts)
    if second_group:
        (tmp_path / "groups/two.toml").write_text(second_group)

    assert expected[1] in [error.detail[: len(expected[1])] for error in errors(tmp_path) if error.code == expected[0]]


def test_a_port_of_the_head_is_free_on_a_host_whose_worker_answers_nobody(tmp_path: Path) -> None:
    assert pair(tmp_path, second=OWN_TIER.format(8001))


def test_two_groups_with_ports_of_their_own_are_on_the_same_hosts(tmp_path: Path) -> None:
    write_pair(tmp_path, group=GROUP + SHARE)
    (tmp_path / "groups/two.toml").write_text(
        (SECOND_GROUP + SHARE).replace("schema = 1", "schema = 1\nlink_port = 25001")
    )

    assert len(Generator().render_all(write_paths(tmp_path))) == 2


def test_gpus_of_two_kinds_are_a_warning(tmp_path: Path) -> None:
    write_pair(tmp_path)
    edit(tmp_path / "hosts/spark-b.toml", 'compute_capability = "12.1"', 'compute_capability = "9.0"')

    head, worker = Generator().render_all(write_paths(tmp_path))
    assert [(one.code, one.detail.partition(":")[0]) for one in head.host.warnings] == [
        ("unlike-gpus", "122880 MiB of 12.1 on spark-a, and 122880 MiB of 9.0 on spark-b")
    ]
    assert worker.host.warnings == ()


def test_two_hosts_of_one_docker_context_are_an_error(tmp_path: Path) -> None:
    write_pair(tmp_path)
    for host in ("spark-a", "spark-b"):
        edit(tmp_path / f"hosts/{host}.toml", '"arm64"', '"arm64"\ndocker_context = "there"')

    found = {error.detail for error in errors(tmp_path)}
    assert 'spark-a and spark-b have the docker_context "there" both, and would be one machine' in found


def test_locks_that_differ_are_an_error(tmp_path: Path) -> None:
    """One image by name may be two, and the ranks would not find each other."""
    write_pair(tmp_path)
    (tmp_path / "locks").mkdir()
    for host, digit in (("spark-a", "a"), ("spark-b", "b")):
        entry = f'[images."vllm/vllm-openai:v0.33.0"]\ndigest = "sha256:{digit * 64}"\nplatforms = ["linux/arm64"]\n'
        (tmp_path / f"locks/{host}.toml").write_text(f"lock = 1\n\n{entry}")

    assert "hosts-of-a-group-differ" in {error.code for error in errors(tmp_path)}


@pytest.mark.parametrize(
    ("image", "warned"),
    [
        ("vllm/vllm-openai:v0.33.0", False),
        ("vllm/vllm-openai:latest", True),
        ("registry.example/vllm:v0.33.0", True),
        (f"vllm/vllm-openai:latest@sha256:{'a' * 64}", False),
    ],
)
def test_an_image_that_may_be_another_one_to_each_host_is_a_warning(tmp_path: Path, image: str, warned: bool) -> None:
    """The tag of a release stays where it is; what any other tag means depends on when a host pulled it."""
    group = GROUP.replace('engine = "vllm"', f'engine = "vllm"\nimage = "{image}"')
    plans = pair(tmp_path, group=group)

    found = [one for plan in plans for one in plan.host.warnings if one.code == "image-may-differ-between-hosts"]
    assert bool(found) == warned
    assert all(one.remedy.endswith("\n    anvil-gen pin --all") for one in found)


def test_an_image_that_all_hosts_have_pinned_is_no_warning(tmp_path: Path) -> None:
    group = GROUP.replace('engine = "vllm"', 'engine = "vllm"\nimage = "vllm/vllm-openai:latest"')
    write_pair(tmp_path, group=group)
    (tmp_path / "locks").mkdir()
    for host in ("spark-a", "spark-b"):
        entry = f'[images."vllm/vllm-openai:latest"]\ndigest = "sha256:{"a" * 64}"\nplatforms = ["linux/arm64"]\n'
        (tmp_path / f"locks/{host}.toml").write_text(f"lock = 1\n\n{entry}")

    plans = Generator().render_all(write_paths(tmp_path))

    assert not [one for plan in plans for one in plan.host.warnings]
    assert service(plans[1])["image"].endswith("a" * 64)


def test_what_a_host_says_for_all_its_tiers_says_nothing_of_a_groups(tmp_path: Path) -> None:
    """[defaults] of one host would make its rank another one than the others."""
    plain = [service(plan) for plan in pair(tmp_path)]
    second = '\n[defaults]\nimage = "vllm/vllm-openai:v0.30.0"\nflags.seed = 7\ncontext_length = 1024\n'

    assert [service(plan) for plan in pair(tmp_path, second=second)] == plain


def test_every_error_of_a_group_is_told_at_once_with_its_place_and_once(tmp_path: Path) -> None:
    group = GROUP.replace("context_length = 32768", "context_length = -1\nflags.nnodes = 3").replace(
        'link = "roce"', 'link = "ROCE"\nexecuter = "ray"'
    )
    write_pair(tmp_path, group=group)

    found = errors(tmp_path)

    places = {(error.address, str(error.location).rpartition("/")[2]) for error in found}
    assert ("groups.sparks.executer", "sparks.toml:4:1") in places
    assert ("groups.sparks.link", "sparks.toml:3:8") in places
    assert ("tiers.big.context_length", "sparks.toml:10:18") in places
    assert len(found) == len(set(found))


def test_a_file_that_is_no_toml_is_an_error_of_every_host(tmp_path: Path) -> None:
    paths = write_pair(tmp_path, group="schema = = 1\n")

    for path in paths:
        with pytest.raises(DiagnosticError) as caught:
            Generator().render(path)
        assert str(caught.value.diagnostics[0].location).endswith("groups/sparks.toml:1:10")
