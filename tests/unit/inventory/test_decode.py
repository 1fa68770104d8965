"""Keys, types and ranges of an inventory: every error at its place, once, with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from inventories import HUB, UUID_A, Fault, compared, faults_of

HEAD = 'schema = 1\nhfcache.volume = "hub"\n'
TIER = f'engine = "vllm", model = {HUB}'


def tier(key: str) -> str:
    """Return an inventory whose one tier has one more key."""
    return HEAD + f"[tiers.fast]\nengine = 'vllm'\nmodel = {HUB}\n{key}\n"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ('port = ▸"80"', ("wrong type", "tiers.fast.port", "write 80")),
        ("port = ▸80.0", ("wrong type", "tiers.fast.port", "write 80")),
        ("port = ▸true", ("wrong type", "tiers.fast.port", "For example: 8000")),
        ("port = ▸0", ("number out of range", "tiers.fast.port", "TCP port")),
        ("port = ▸65536", ("number out of range", "tiers.fast.port", "TCP port")),
        ("port = ▸nan", ("wrong type", "tiers.fast.port", "TCP port")),
        ("port = ▸9223372036854775808", ("number out of range", "tiers.fast.port", "write a smaller number")),
        (f"port = ▸0x{'f' * 5000}", ("number out of range", "tiers.fast.port", "write a smaller number")),
        ("flags.seed = ▸18446744073709551615", ("number out of range", "tiers.fast.flags.seed", "text in quotes")),
        ("context_length = ▸-5", ("number out of range", "tiers.fast.context_length", "For example: 65536")),
        ("gpu_memory_utilization = ▸0", ("number out of range", "tiers.fast.gpu_memory_utilization", "0.9")),
        ("gpu_memory_utilization = ▸1.5", ("number out of range", "tiers.fast.gpu_memory_utilization", "0.9")),
        ("gpu_memory_utilization = ▸nan", ("number out of range", "tiers.fast.gpu_memory_utilization", "0.9")),
        ("gpu_memory_utilization = ▸-inf", ("number out of range", "tiers.fast.gpu_memory_utilization", "0.9")),
        ('gpu_memory_utilization = ▸"0.9"', ("wrong type", "tiers.fast.gpu_memory_utilization", "write 0.9")),
        ("gpu_memory_utilization = ▸true", ("wrong type", "tiers.fast.gpu_memory_utilization", "0.9")),
        ('gpus = ▸"big"', ("wrong type", "tiers.fast.gpus", 'write it as a list: ["big"]')),
        ("gpus = [\n  # one\n  ▸3,\n]", ("wrong type", "tiers.fast.gpus[0]", "A GPU's name")),
        ('flags = ▸"--x"', ("wrong type", "tiers.fast.flags", "write it as a table: [tiers.fast.flags]")),
        ('image = ▸"me:pw@reg.example/x:1"', ("not of the right form", "tiers.fast.image", "Container image")),
        ("bind = ▸true", ("wrong type", "tiers.fast.bind", "an IP address, or `false`")),
        ("restart = ▸2020-01-01", ("wrong type", "tiers.fast.restart", "unless-stopped")),
        ("▸tensor_paralel = 2", ("unknown key", "tiers.fast.tensor_paralel", 'did you mean "tensor_parallel"?')),
        ("tensor_parallel = ▸0", ("number out of range", "tiers.fast.tensor_parallel", "GPUs that share each layer")),
        ("gpus = ▸0", ("number out of range", "tiers.fast.gpus", "A number of GPUs. For example: 2")),
        ("gpus = ▸1.5", ("wrong type", "tiers.fast.gpus", 'For example: ["rtx5090"], "all", 2')),
        ('expert_parallel = ▸"yes"', ("wrong type", "tiers.fast.expert_parallel", "For example: true")),
        ('restart = ▸"unless_stopped"', ("not of the right form", "tiers.fast.restart", '"unless-stopped"?')),
        ('ipc = ▸"hots"', ("not of the right form", "tiers.fast.ipc", 'did you mean "host"?')),
        ('ipc = ▸"x"', ("not of the right form", "tiers.fast.ipc", "host, private, shareable, none, service:NAME")),
        ('image = ▸"vllm/VLLM:v1"', ("name that Docker refuses", "tiers.fast.image", "lower case")),
        ('flags = { ▸max-model-len = 1, max_model_len = 2 }', (
            "flag of a field", "tiers.fast.flags.max-model-len", "context_length"
        )),
        ('flags = { code-revision = 1, ▸code_revision = 2 }', (
            "flag written twice", "tiers.fast.flags.code_revision", "keep one"
        )),
        ('draft_model = ▸"Qwen/Qwen3-8B"', (
            "wrong type", "tiers.fast.draft_model", 'write draft_model = { repo = "Qwen/Qwen3-8B" }'
        )),
        ('draft_model = ▸"./x/y"', ("wrong type", "tiers.fast.draft_model", 'draft_model = { path = "./x/y" }')),
        ('restart = ▸"never"', ("not of the right form", "tiers.fast.restart", "unless-stopped")),
        ('restart = ▸"no\\n"', ("not of the right form", "tiers.fast.restart", 'did you mean "no"?')),
        ("healthcheck.test = ▸1", ("wrong type", "tiers.fast.healthcheck.test", "a line for the shell")),
        ("healthcheck.test = ▸[]", ("not of the right form", "tiers.fast.healthcheck.test", "For example")),
        ("[modes.x]\ntiers = ▸[]", ("no tiers", "modes.x.tiers", "name a tier")),
        ('service = ▸"a b"', ("not of the right form", "tiers.fast.service", 'write "a-b"')),
        ('service = ▸"x\\n"', ("not of the right form", "tiers.fast.service", "letters, digits")),
        ('container_name = ▸"-x"', ("not of the right form", "tiers.fast.container_name", "At least two")),
        ('image = ▸"😀 a"', ("not of the right form", "tiers.fast.image", "vllm/vllm-openai:v0.11.0")),
        ('gpu_memory = ▸"20GB"', ("not of the right form", "tiers.fast.gpu_memory", '"20GiB"')),
        ('task = ▸"chatt"', ("not one of the choices", "tiers.fast.task", 'did you mean "chat"?')),
        ('▸prot = 1', ("unknown key", "tiers.fast.prot", 'did you mean "port"?')),
        ('▸max_model_len = 1', ("unknown key", "tiers.fast.max_model_len", "write context_length = 1")),
        ('▸max-num-seqs = 1', ("unknown key", "tiers.fast.max-num-seqs", "write max_sequences = 1")),
        ('▸volumes = []', ("unknown key", "tiers.fast.volumes", "here it is called mounts")),
        ('▸zzz = 1', ("unknown key", "tiers.fast.zzz", "flags.zzz = 1")),
        ('environment.▸"A=B" = "x"', ("name that is not allowed", 'tiers.fast.environment."A=B"', "no `=`")),
        ('environment.▸"" = "x"', ("name that is not allowed", 'tiers.fast.environment.""', "no `=`")),
        ("environment.X = ▸3.50", ("wrong type", "tiers.fast.environment.X", 'write it in quotes: "3.50"')),
        ("environment.X = ▸true", ("wrong type", "tiers.fast.environment.X", 'write it in quotes: "true"')),
        ("environment.X = ▸1979-05-27", ("wrong type", "tiers.fast.environment.X", '"1979-05-27"')),
        ('environment.X = ▸"a\\u0000"', ("NUL character", "tiers.fast.environment.X", "remove it")),
        ('flags.▸"a\\u0000" = 1', ("NUL character", r'tiers.fast.flags."a\u0000"', "remove it")),
        ('flags.▸"--x" = 1', ("name that is not allowed", "tiers.fast.flags.--x", "without its leading dashes")),
        # What is meant is clear: the same thing in the form of its key.
        ('context_length = ▸"128k"', ("wrong type", "tiers.fast.context_length", "write 131072")),
        ('context_length = ▸"32,768"', ("wrong type", "tiers.fast.context_length", "write 32768")),
        ('gpu_memory = ▸"20GB"', ("not of the right form", "tiers.fast.gpu_memory", 'write "20GiB"')),
        ("gpu_memory = ▸20", ("wrong type", "tiers.fast.gpu_memory", 'write "20GiB"')),
        ("gpu_memory = ▸20480", ("wrong type", "tiers.fast.gpu_memory", 'write "20480MiB"')),
        ('gpu_memory = ▸"20 tons"', ("not of the right form", "tiers.fast.gpu_memory", "For example")),
        ("gpu_memory_utilization = ▸85", ("number out of range", "tiers.fast.gpu_memory_utilization", "write 0.85")),
        ('gpu_memory_utilization = ▸"85%"', ("wrong type", "tiers.fast.gpu_memory_utilization", "write 0.85")),
        ('shm_size = ▸"16 GiB"', ("not of the right form", "tiers.fast.shm_size", 'write "16g"')),
        ("shm_size = ▸16", ("wrong type", "tiers.fast.shm_size", 'write "16g"')),
        ('start_period = ▸"10 minutes"', ("not of the right form", "tiers.fast.start_period", 'write "10m"')),
        ("start_period = ▸90", ("wrong type", "tiers.fast.start_period", 'write "90s"')),
        ('served_name = ▸"qwen 3"', ("not of the right form", "tiers.fast.served_name", 'write "qwen-3"')),
        ('▸vram_gb = 20', ("unknown key", "tiers.fast.vram_gb", 'write gpu_memory = "20GiB"')),
        ('kv_cache_dtype = ▸"\\u001b[31m "', ("not of the right form", "tiers.fast.kv_cache_dtype", '"fp8"')),
    ],
)  # fmt: skip
def test_an_error_inside_a_tier(tmp_path: Path, key: str, expected: Fault) -> None:
    found, wanted = compared(tier(key), [expected], tmp_path)

    assert found == wanted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("▸", [("missing key", "", "write schema = 1")]),
        ("▸# only a comment\n", [("missing key", "", "write schema = 1")]),
        (f"schema = ▸'1'\ntiers.fast = {{ {TIER} }}\nhfcache.volume = 'hub'", [("wrong type", "schema", "write 1")]),
        (f"schema = ▸1.0\ntiers.fast = {{ {TIER} }}\nhfcache.volume = 'hub'", [("wrong type", "schema", "write 1")]),
        (f"schema = ▸0\ntiers.fast = {{ {TIER} }}\nhfcache.volume = 'hub'", [("number out of range", "schema", "1")]),
        ("schema = ▸2\nunheard = 'of'", [("inventory of a newer format", "schema", "install a newer anvil-gen")]),
        ("schema = 1\ntiers = ▸3", [("wrong type", "tiers", "write it as a table: [tiers.NAME]")]),
        ("schema = 1\ntiers = ▸[]", [("wrong type", "tiers", "write it as a table: [tiers.NAME]")]),
        ("schema = 1\n[[▸tiers]]\n[[tiers]]", [("wrong type", "tiers", "write it as a table: [tiers.NAME]")]),
        ("schema = 1\n[[tiers.▸fast]]\nport = 1", [("wrong type", "tiers.fast", "write it as a table: [tiers.fast]")]),
        (HEAD + "[tiers.fast]\nengine = 'vllm'\n[[tiers.fast.▸model]]", [
            ("wrong type", "tiers.fast.model", "write it as a table: [tiers.fast.model]")
        ]),
        (HEAD + f"[tiers]\n▸engine = 'vllm'\nmodel = {HUB}", [
            ("missing name", "tiers.engine", "a name is missing: [tiers.NAME]")
        ]),
        (HEAD + f"gpus.▸uuid = '{UUID_A}'\ntiers.fast = {{ {TIER}, gpus = ['a'] }}", [
            ("missing name", "gpus.uuid", "a name is missing: [gpus.NAME]")
        ]),
        (HEAD + f"tiers.fast = {{ {TIER} }}\nhost = ▸'me'", [("wrong type", "host", "write it as a table: [host]")]),
        (HEAD + f"tiers.fast = {{ {TIER} }}\n[▸teirs]", [("unknown key", "teirs", 'did you mean "tiers"?')]),
        (HEAD + f"tiers.▸Fast = {{ {TIER} }}", [("name that is not allowed", "tiers.Fast", "lower-case")]),
        (HEAD + f"tiers.▸con = {{ {TIER} }}", [("name that is not allowed", "tiers.con", "no device of Windows")]),
        (HEAD + f"tiers.▸'日本' = {{ {TIER} }}", [("name that is not allowed", 'tiers."日本"', "lower-case")]),
        (HEAD + f'tiers.▸"a\\nb" = {{ {TIER} }}', [("name that is not allowed", r'tiers."a\nb"', "lower-case")]),
        (HEAD + f"tiers.▸{'a' * 64} = {{ {TIER} }}", [("name that is not allowed", f"tiers.{'a' * 64}", "at most 63")]),
        (HEAD + f"tiers.fast = {{ {TIER} }}\ngpus.a.uuid = ▸'GPU-1'", [
            ("not of the right form", "gpus.a.uuid", "`nvidia-smi -L` prints it")
        ]),
        (HEAD + f"tiers.fast = {{ {TIER} }}\n[host]\nname = ▸'My Box'", [
            ("not of the right form", "host.name", "lower-case letters, digits")
        ]),
        (HEAD + "tiers.fast = { engine = 'vllm', model.repo = ▸'https://huggingface.co/org/name/tree/main' }", [
            ("not of the right form", "tiers.fast.model.repo", 'write "org/name"')
        ]),
        (HEAD + f"tiers.fast = {{ {TIER} }}\ngpus.a = {{ uuid = '{UUID_A}', ▸memory = '24GB' }}", [
            ("unknown key", "gpus.a.memory", "write memory_mib = 24576")
        ]),
        (HEAD + f"tiers.fast = {{ {TIER} }}\ngpus.a = {{ uuid = '{UUID_A}', ▸memory_gib = 24 }}", [
            ("unknown key", "gpus.a.memory_gib", "write memory_mib = 24576")
        ]),
        (HEAD + f"tiers.fast = {{ {TIER} }}\ngpus.a = {{ uuid = '{UUID_A}', compute_capability = ▸8.6 }}", [
            ("wrong type", "gpus.a.compute_capability", 'write it in quotes: "8.6"')
        ]),
        (HEAD + f"tiers.fast = {{ {TIER} }}\nrouter.aliases.▸gpt-4.1 = 'fast'", [
            ("wrong type", "router.aliases.gpt-4", 'a dot ends a key: write aliases."gpt-4.1" = …')
        ]),
        (HEAD + f"tiers.fast = {{ {TIER} }}\nrouter.▸api_key = 'sk-1234'", [
            ("unknown key", "router.api_key", "here it is called api_key_env")
        ]),
    ],
)  # fmt: skip
def test_an_error_of_a_whole_table(tmp_path: Path, text: str, expected: list[Fault]) -> None:
    found, wanted = compared(text, expected, tmp_path)

    assert found == wanted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"schema = 1\nhfcache.volume = ▸3\ntiers.fast = {{ {TIER} }}",
            [("wrong type", "hfcache.volume", "For example")],
        ),
        (
            f"schema = 1\nhfcache.▸volum = 'hub'\ntiers.fast = {{ {TIER} }}",
            [("unknown key", "hfcache.volum", '"volume"')],
        ),
        (
            "schema = 1\npaths.▸model = '/srv'\ntiers.fast = { engine = 'vllm', model = { path = 'a' } }",
            [("unknown key", "paths.model", 'did you mean "models"?')],
        ),
        (
            HEAD + f"tiers.fast = {{ ▸engin = 'vllm', model = {HUB} }}",
            [("unknown key", "tiers.fast.engin", 'did you mean "engine"?')],
        ),
        (
            HEAD + "tiers.fast = { engine = 'vllm', model = { ▸repoo = 'a/b' } }",
            [("unknown key", "tiers.fast.model.repoo", 'did you mean "repo"?')],
        ),
        (
            HEAD + "tiers.fast = { engine = 'vllm', model = { repo = ▸3 } }",
            [("wrong type", "tiers.fast.model.repo", "openai/gpt-oss-20b")],
        ),
        (
            HEAD + f"gpus.big = ▸3\ntiers.fast = {{ {TIER}, gpus = ['big'] }}",
            [("wrong type", "gpus.big", "write it as a table: [gpus.big]")],
        ),
        (
            HEAD + f"gpus.a.uuid = '{UUID_A}'\ntiers.fast = {{ {TIER}, tensor_parallel = 2, gpus = ['a', ▸'bb'] }}",
            [("unknown GPU", "tiers.fast.gpus[1]", "[gpus.bb]")],
        ),
        (
            HEAD + f"gpus.a.uuid = '{UUID_A}'\ntiers.fast = {{ {TIER}, tensor_parallel = 2, gpus = ▸'a' }}",
            [("wrong type", "tiers.fast.gpus", 'write it as a list: ["a"]')],
        ),
        (
            HEAD + f"gpus.a.uuid = '{UUID_A}'\n"
            f"tiers.fast = {{ {TIER}, image = 'vllm/vllm-openai:v0.33.0', gpus = ▸'a' }}",
            [("wrong type", "tiers.fast.gpus", 'write it as a list: ["a"]')],
        ),
        (
            HEAD + f"gpus.a.uuid = ▸'GPU-1'\ntiers.fast = {{ {TIER}, tensor_parallel = 2, gpus = ['a'] }}",
            [("not of the right form", "gpus.a.uuid", "nvidia-smi -L")],
        ),
        (
            HEAD + f"tiers.fast = {{ {TIER}, environment.▸HF_TOKEN = '${{HF_TOKEN}}' }}",
            [("text that looks like a variable", "tiers.fast.environment.HF_TOKEN", '{ env = "HF_TOKEN" }')],
        ),
        (
            HEAD + f"tiers.▸Fast = {{ {TIER} }}\nrouter.aliases.coder = 'Fast'",
            [("name that is not allowed", "tiers.Fast", "lower-case")],
        ),
        (
            HEAD + f"tiers.a = {{ {TIER}, container_name = ▸'-x' }}",
            [("not of the right form", "tiers.a.container_name", "At least two")],
        ),
        (
            HEAD + f"tiers.one = {{ {TIER} }}\ntiers.two = {{ {TIER}, port = ▸'x' }}",
            [("wrong type", "tiers.two.port", "TCP port")],
        ),
        (
            HEAD + f"gpus.big = {{ uuid = '{UUID_A}', memory_mib = ▸'x' }}\n"
            f"tiers.fast = {{ {TIER}, gpus = ['big'], gpu_memory = '2GiB' }}",
            [("wrong type", "gpus.big.memory_mib", "Memory of the GPU")],
        ),
        (
            HEAD + f'tiers.one = {{ {TIER}, image = ▸"a\\u0000 b" }}',
            [("NUL character", "tiers.one.image", "remove it")],
        ),
        # HAProxy, which is the default, could not route the name.
        (
            HEAD + f"tiers.one = {{ {TIER} }}\nrouter = {{ ▸engine = 'anvil', aliases.\"é\" = 'one' }}",
            [("renamed key", "router.engine", 'write kind = "anvil"')],
        ),
        (
            HEAD + f"tiers.one = {{ {TIER} }}\nrouter = {{ kind = 'anvil', ▸engine = 'haproxy' }}",
            [("renamed key", "router.engine", "remove it")],
        ),
    ],
)
def test_what_follows_from_an_error_is_not_reported(tmp_path: Path, text: str, expected: list[Fault]) -> None:
    found, wanted = compared(text, expected, tmp_path)

    assert found == wanted


def test_all_errors_are_reported_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
schema = 1
[host]
▸platfrm = "wsl2"
[tiers.fast]
engine = ▸"vlm"
model = { repo = ▸"openai/gpt-oss-20b" }
[tiers.slow]
engine = "vllm"
model = { path = "/m/x" }
port = ▸"80"
[router]
aliases.coder = ▸"fasst"
"""
    expected = [
        ("unknown key", "host.platfrm", '"platform"'),
        ("unknown engine", "tiers.fast.engine", 'did you mean "vllm"?'),
        ("missing key", "tiers.fast.model.repo", "[hfcache]"),
        ("wrong type", "tiers.slow.port", "write 80"),
        ("alias to a missing tier", "router.aliases.coder", 'did you mean "fast"?'),
    ]
    found, wanted = compared(text, expected, tmp_path)

    assert found == wanted


def test_a_value_cannot_steer_the_terminal(tmp_path: Path) -> None:
    [diagnostic] = faults_of(tier('kv_cache_dtype = "\\u001b[31m\\u202e\\r\\n "'), tmp_path)

    assert diagnostic.detail == r'"\u001b[31m\u202e\r\n "'


@pytest.mark.parametrize(
    "text",
    [
        "router.api_key_env = 'sk-1234'",
        "router.api_key = 'sk-1234'",
        "router.api_key_env = { sk-1234 = 'laptop' }",
        "router.api_key_env = { 'sk 1234' = 'LAPTOP' }",
        "router = { port = 'x', api_key_env = 'sk-1234' }",
        "api_token = 'sk-1234'",
        f"[tiers.fast]\nengine = 'vllm'\nmodel = {HUB}\nflags.api-key = ['sk-1234',\n['sk-1234']]",
        f"[tiers.fast]\nengine = 'vllm'\nmodel = {HUB}\nenvironment.MY_TOKEN = 1234.5",
        f"[tiers.fast]\nengine = 'vllm'\nmodel = {HUB}\nenvironment.MY_TOKEN = {{ env = 'A', default = 1234 }}",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_shown(tmp_path: Path, text: str) -> None:
    diagnostics = faults_of(HEAD + text + "\n", tmp_path)

    assert diagnostics != ()
    assert "1234" not in "".join(
        diagnostic.summary
        + diagnostic.address
        + diagnostic.detail
        + diagnostic.remedy
        + (diagnostic.location.source if diagnostic.location else "")
        for diagnostic in diagnostics
    )


def test_a_value_of_any_length_is_reported_in_short(tmp_path: Path) -> None:
    long = "k" * 100_000
    diagnostics = faults_of(tier(f'"{long}" = 1\nengine_ = "{long}"\nport = "{long}"'), tmp_path)

    assert [diagnostic.summary for diagnostic in diagnostics] == ["unknown key", "unknown key", "wrong type"]
    assert all(len(diagnostic.detail + diagnostic.address + diagnostic.remedy) < 1500 for diagnostic in diagnostics)


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        (
            "[▸tiers.'Mein Größter']\nengine = ▸'vlm'\nport = 9\n[tiers.stand-in-0]\nengine = 'vllm'\n"
            f"model = {HUB}\nport = ▸9\n",
            [
                ("name that is not allowed", 'tiers."Mein Größter"', "For example"),
                ("unknown engine", 'tiers."Mein Größter".engine', 'did you mean "vllm"?'),
                ("port taken twice", "tiers.stand-in-0.port", "write port = 10"),
            ],
        ),
        (
            f"[▸gpus.'my card']\nuuid = '{UUID_A}'\nmemory_mib = 9\nreserve_mib = ▸9\n"
            f"[tiers.ab]\nengine = 'vllm'\nmodel = {HUB}\ngpus = ['my card', ▸'other']\n",
            [
                ("name that is not allowed", 'gpus."my card"', "write gpus.my-card. "),
                ("number out of range", 'gpus."my card".reserve_mib', "less than 9"),
                ("unknown GPU", "tiers.ab.gpus[1]", "add a table"),
            ],
        ),
        # `pass` is a word of Python, and has another name in it.
        (
            f"[tiers.Ab]\nengine = 'vllm'\nmodel = {HUB}\npass = ['A', ▸3]\n".replace("[tiers", "[▸tiers"),
            [
                ("name that is not allowed", "tiers.Ab", "write tiers.ab. "),
                ("wrong type", "tiers.Ab.pass[1]", "Name of a variable"),
            ],
        ),
        (
            f"[tiers.ab]\nengine = 'vllm'\nmodel = {HUB}\n[▸modes.Late]\ntiers = ['ab', ▸'b']\n",
            [
                ("name that is not allowed", "modes.Late", "write modes.late. A mode's name"),
                ("unknown tier", "modes.Late.tiers[1]", "name one of them"),
            ],
        ),
        (
            f"[tiers.ab]\nengine = 'vllm'\nmodel = {HUB}\n[▸services.'a b']\nimage = {{ env = ▸'x y' }}\n",
            [
                ("name that is not allowed", 'services."a b"', "write services.a-b. "),
                ("not of the right form", 'services."a b".image.env', "NAME"),
            ],
        ),
    ],
)
def test_a_name_that_is_not_allowed_hides_no_other_error(marked: str, expected: list[Fault], tmp_path: Path) -> None:
    found, wanted = compared(HEAD + marked, expected, tmp_path)

    assert found == wanted
