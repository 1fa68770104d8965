"""Secrets that are written out, wherever an inventory takes anything: refused at their place, and not shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from inventories import MARK, faults_of, without_marks

SECRET = "s3cret-value"
TIER = '[tiers.one]\nengine = "vllm"\nmodel = { path = "/m/x" }\nflag_check = false\n'
CUSTOM = '[tiers.one]\nengine = "custom"\nimage = "x:1"\nport = 9000\n'
SERVICE = f'{TIER}[services.ui]\nimage = "x:1"\n'
LOOK = f"sk-{SECRET}-0123456789"
VOLUME = f'{TIER}mounts."/d" = {{ volume = "v" }}\n[volumes.v]\ndriver = "local"\n'
NETWORK = f'{TIER}networks = ["edge"]\n[networks.edge]\ndriver = "bridge"\n'
# What is written, with a mark where the secret is reported.
REFUSED = [
    f'{TIER}environment.▸A_TOKEN = "{SECRET}"\n',
    f"{TIER}environment.▸PASSWORD = 12345\n",
    f'{TIER}environment.A_TOKEN = {{ env = "X", default = ▸"{SECRET}" }}\n',
    f'{TIER}environment.X = {{ env = "A_TOKEN", default = ▸"{SECRET}" }}\n',
    f'{TIER}environment.▸URL = "https://me:{SECRET}@example.org/x"\n',
    f'{TIER}environment.▸X = "sk-{SECRET}-0123456789"\n',
    f'{TIER}environment.A_TOKEN = {{ interpolate = ▸"${{X:-{SECRET}}}" }}\n',
    f'{TIER}environment.X = {{ interpolate = ▸"a ${{A_TOKEN:-{SECRET}}}" }}\n',
    f'{TIER}flags.▸api-key = "{SECRET}"\n',
    f'{TIER}flags.▸api-key = ["{SECRET}"]\n'.replace("▸api-key = [", "api-key = [▸"),
    f'{TIER}flags.api-key = {{ env = "X", default = ▸"{SECRET}" }}\n',
    f'{TIER}flags.api-key = [{{ env = "X", default = ▸"{SECRET}" }}]\n',
    f'{TIER}flags.loader = {{ ▸hf_token = "{SECRET}" }}\n',
    f'{TIER}flags.loader = {{ deep = [{{ ▸password = "{SECRET}" }}] }}\n',
    f'{TIER}flags.▸header = "Authorization: Bearer {SECRET}"\n',
    f'[defaults]\nflags.▸api-key = "{SECRET}"\n{TIER}',
    f'{TIER}override.environment.▸A_KEY = "{SECRET}"\n',
    f'{TIER}override.environment = ["A=b", ▸"A_KEY={SECRET}"]\n',
    f'{TIER}override.build.args = [▸"TOKEN={SECRET}"]\n',
    f'{TIER}override.build.args.▸TOKEN = "{SECRET}"\n',
    f'{TIER}override.▸command = "serve --api-key {SECRET} --x"\n',
    f'{TIER}override.command = ["serve", "--api-key", ▸"{SECRET}", "--x", "y"]\n',
    f'{TIER}override.command = ["sh", "-c", ▸"A_TOKEN={SECRET} serve"]\n',
    f'{TIER}override.labels.▸a_password = "{SECRET}"\n',
    f'{CUSTOM}command = ["x", ▸"--api-key={SECRET}"]\n',
    f'{CUSTOM}entrypoint = ["x", "--token", ▸"{SECRET}"]\n',
    f'{CUSTOM}healthcheck.test = ["CMD-SHELL", ▸"curl -H \'Authorization: Bearer {SECRET}\' x"]\n',
    f'{SERVICE}environment.▸DB_PASSWORD = "{SECRET}"\n',
    f'{SERVICE}command = ["--api-key", ▸"{SECRET}"]\n',
    f'{SERVICE}healthcheck.test = ["CMD-SHELL", ▸"x --api-key \'{SECRET}\'"]\n',
    f'{SERVICE}logging.options.▸splunk-token = "{SECRET}"\n',
    f'{TIER}[router]\noverride.environment.▸A_KEY = "{SECRET}"\n',
    f'hfcache.volume = "hub"\n{TIER}[experiment]\nengine = "vllm"\nflags.▸api-key = "{SECRET}"\n',
    # Where else something can be written.
    f'{VOLUME}driver_opts = {{ type = "cifs", ▸o = "username=me,password={SECRET}" }}\n',
    f'{VOLUME}driver_opts.▸o = "addr=10.0.0.1,pass={SECRET}"\n',
    f'{VOLUME}labels = [▸"a.token={SECRET}"]\n',
    f'{NETWORK}driver_opts = {{ ▸"x.token" = "{SECRET}" }}\n',
    f'{TIER}[host]\n▸project = "{LOOK}"\n',
    f'{TIER}[router]\naliases.▸{LOOK} = "one"\n',
    f'{SERVICE}environment.▸{LOOK} = "x"\n',
    f'{SERVICE}environment = [▸"{LOOK}"]\n',
    # Further names.
    f'{SERVICE}environment.▸DB_PASS = "{SECRET}"\n',
    f'{SERVICE}environment.▸DB_PWD = "{SECRET}"\n',
    f'{SERVICE}environment.▸API_KEY_1 = "{SECRET}"\n',
    f'{SERVICE}environment.▸accessKey = "{SECRET}"\n',
    f'{SERVICE}command = ["redis-server", "--requirepass", ▸"{SECRET}"]\n',
    # Further forms of a text.
    f'{SERVICE}environment.▸URL = "https://example.org/x?a=1&token={SECRET}"\n',
    f'{SERVICE}environment.▸DSN = "Server=x;Uid=y;Pwd={SECRET}"\n',
    f'{SERVICE}environment.▸DSN = "postgres://me:a$$b-{SECRET}@h/x"\n',
    f'{SERVICE}environment.▸JSON = \'{{"a": {{"api_key": "{SECRET}"}}}}\'\n',
    f'{SERVICE}environment.▸YAML = "a:\\n  password: {SECRET}"\n',
    f'{SERVICE}environment.▸HEADER = "X-Api-Key: {SECRET}"\n',
    f'{SERVICE}environment.▸HEADER = "Bearer {SECRET}"\n',
    f'{SERVICE}environment.▸JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{SECRET}"\n',
    f'{SERVICE}command = ["x", ▸"--set=api_key={SECRET}"]\n',
    f'{SERVICE}command = ["x", ▸"--header=X-Api-Key: {SECRET}"]\n',
    f'{SERVICE}command = ["x", "--api-key", ▸"$pa{SECRET}"]\n',
    f'{SERVICE}command = ["x", "--api-key", ▸"-{SECRET}"]\n',
    f'{SERVICE}command = ["sh", "-c", ▸"(API_KEY={SECRET} x)"]\n',
    f'{SERVICE}command = ["sh", "-c", ▸"API_KEY=\'\'{SECRET} x"]\n',
    f'{SERVICE}command = ["sh", "-c", ▸"x --api-key \\"$X-{SECRET}\\""]\n',
    f'{SERVICE}build = {{ context = ".", ▸dockerfile_inline = "FROM x\\nENV API_KEY {SECRET}" }}\n',
    f'{SERVICE}healthcheck.▸test = "curl -u me:{SECRET} http://x"\n',
    f'{SERVICE}healthcheck.▸test = ["CMD", "curl", "-u", "me:{SECRET}", "http://x"]\n',
    f'{SERVICE}healthcheck.test = ["CMD", "curl", "-H", ▸"Authorization: {SECRET}", "http://x"]\n',
    f'{CUSTOM}command = ["x", {{ interpolate = ▸"--api-key=${{A:-{SECRET}}}" }}]\n',
    f'{TIER}environment.A_TOKEN = {{ interpolate = ▸"${{A:+{SECRET}}}" }}\n',
]
ACCEPTED = [
    f'{TIER}environment = {{ A_TOKEN = {{ env = "A_TOKEN" }}, B_TOKEN = "", KEY_FILE = "/x", TOKENS = "many" }}\n',
    f'{TIER}flags = {{ api-key = {{ env = "K" }}, max-tokens = 5, tokenizer = "x", eos-token = "</s>" }}\n',
    f'{TIER}environment.X = {{ env = "X", default = "https://example.org:80/a@b" }}\n',
    f'{SERVICE}secrets = ["db_password", {{ source = "token", target = "token" }}]\n',
    f'{SERVICE}build = {{ context = "x", secrets = ["token"] }}\n',
    f'{SERVICE}command = ["sh", "-c", "serve --api-key $A_TOKEN --key \'${{KEY}}\'"]\n',
    f'{SERVICE}command = ["serve", "--api-key", {{ env = "K" }}, "--api-key-file", "/x"]\n',
    f'{SERVICE}environment = ["A_TOKEN", "B_TOKEN="]\n',
    f'{SERVICE}environment.A_TOKEN_FILE = "/run/secrets/x"\nlabels = {{ why = "needs a key: see docs" }}\n',
    f'{SERVICE}command = ["sh", "-c", "x --key \\"$KEY\\" -H \'Authorization: Bearer $KEY\' --token $(cat /x) --y"]\n',
    f'{SERVICE}command = ["x", "--user", "1000:1000", "--forward-pass-metrics", "a", "--key", "$A_KEY"]\n',
    f'{SERVICE}environment = {{ PWD = "/x", BYPASS = "x" }}\n',
    f'{SERVICE}environment.URL = {{ interpolate = "https://me:${{PW}}@h/x?token=${{T}}" }}\n',
    f'{SERVICE}labels = {{ a = "image: my-token:1.0", b = "first pass over all" }}\nvolumes = ["/x/token:/token"]\n',
    f'{TIER}[services.token]\nimage = "x:1"\nenvironment.A = "b"\n',
    f'{TIER}mounts."/d" = {{ volume = "secrets" }}\n[volumes.secrets]\ndriver = "local"\n',
    f'{TIER}flags.api-key = {{ env = "KEY", default = "none" }}\n',
    f'{SERVICE}environment.API_KEYS = {{ interpolate = "${{A_KEY}};${{B_KEY:-none}}" }}\n',
    TIER.replace("tiers.one", "tiers.token") + 'served_name = "api-key"\n',
]


@pytest.mark.parametrize("marked", REFUSED)
def test_refused_at_its_place_and_not_shown(marked: str, tmp_path: Path) -> None:
    assert marked.count(MARK) == 1
    text, ((line, column),) = without_marks(f"schema = 1\n{marked}")
    found = faults_of(text, tmp_path)

    assert [(one.code, one.severity) for one in found] == [("secret-in-the-inventory", "error")]
    assert [(one.location.line, one.location.column) for one in found if one.location] == [(line, column)]
    assert "{ env = " in found[0].remedy
    assert SECRET not in str(found)
    assert "12345" not in str(found)


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_is_no_secret(text: str, tmp_path: Path) -> None:
    found = {one.code for one in faults_of(f"schema = 1\n{text}", tmp_path)}

    assert "secret-in-the-inventory" not in found


def test_no_other_error_shows_a_secret(tmp_path: Path) -> None:
    text = f'schema = 1\n{SERVICE}command = ["serve", "--token", "${{A:-{SECRET}}}"]\n'
    found = faults_of(text, tmp_path)

    assert {one.code for one in found} == {"secret-in-the-inventory", "text-that-looks-like-a-variable"}
    assert SECRET not in str(found)


@pytest.mark.parametrize("written", [f'laptop = "{LOOK}"', f'{LOOK} = "{"0" * 64}"'], ids=["digest", "name"])
def test_a_key_in_the_place_of_its_digest_is_made_anew(written: str, tmp_path: Path) -> None:
    """A variable is no digest, and a key that was in a file is no secret any more."""
    text = f"schema = 1\n{TIER}[router]\napi_key_sha256.{written}\n"
    found = faults_of(text, tmp_path)

    (secret,) = [one for one in found if one.code == "secret-in-the-inventory"]
    assert "--new-key NAME" in secret.remedy
    assert "env =" not in str(found)
    assert SECRET not in str(found)


def test_a_key_in_the_place_of_its_variable_is_no_table(tmp_path: Path) -> None:
    found = faults_of(f'schema = 1\n{TIER}[router]\napi_key_env = ["{LOOK}"]\n', tmp_path)

    (secret,) = [one for one in found if one.code == "secret-in-the-inventory"]
    assert 'api_key_env = "ROUTER_TOKEN"' in secret.remedy
