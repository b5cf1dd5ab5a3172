"""Addresses without their secrets: whatever a secret is, and wherever in an address it stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.addresses import mask_in_text, mask_secrets, secrets_in, without_secrets

# A text that stands nowhere else in the addresses below, with all that a password or a token may have.
SECRETS = st.text("ABCXYZ0189@:/?#;=+.%!$~_-", min_size=1, max_size=30).map(lambda text: f"S3CRET{text}9")
SCHEMES = st.sampled_from(["http", "https", "postgresql", "mysql+pymysql", "ftp", "s3", "ray", "HTTPS"])
SLASHES = st.sampled_from(["://", "//", ":/", ":///", "/"])
NAMES = st.sampled_from(
    ["sig", "auth", "credential", "ssl_pass", "password", "token", "X-Amz-Signature", "code", "jwt", "k", "charset"]
)


@given(SCHEMES, SLASHES, SECRETS, st.sampled_from(["", ":", ":x-oauth-basic", ":x"]))
def test_a_token_in_the_place_of_a_user_is_hidden(scheme, slashes, secret, password):
    assert "S3CRET" not in mask_secrets(f"{scheme}{slashes}{secret}{password}@host:5000/path")


@given(SCHEMES, SLASHES, st.sampled_from(["me", "", "admin", "a.user@corp"]), SECRETS)
def test_a_password_is_hidden(scheme, slashes, user, secret):
    assert "S3CRET" not in mask_secrets(f"{scheme}{slashes}{user}:{secret}@host/path?x=1")


@given(SCHEMES, NAMES, SECRETS, st.sampled_from(["", "&x=1", "&sslmode=require"]))
def test_the_value_of_a_parameter_is_hidden(scheme, name, secret, more):
    assert "S3CRET" not in mask_secrets(f"{scheme}://host:1/db?sslmode=require&{name}={secret}{more}")


@given(st.text(max_size=100))
def test_to_mask_twice_is_to_mask_once(text):
    assert mask_secrets(mask_secrets(text)) == mask_secrets(text)


@given(SCHEMES, SECRETS.filter(lambda secret: "@" not in secret))
def test_what_is_masked_is_known_so_that_it_can_be_found_elsewhere(scheme, secret):
    assert secret in secrets_in(f"{scheme}://me:{secret}@host/?x=1")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://me:secret@host:5000/x", "http://me:***@host:5000/x"),
        ("https://ghp_token@host", "https://***@host"),
        ("https://ghp_token:x-oauth-basic@host", "https://***@host"),
        ("http//token@host:5000", "http//***@host:5000"),
        ("http:token@host", "http:***@host"),
        ("token@host:6379", "***@host:6379"),
        ("me:secret@host:6379", "me:***@host:6379"),
        ("http://host/?sig=abc", "http://host/?sig=***"),
        ("http://host/?auth=abc&credential=def#ghi", "http://host/?auth=***&credential=***"),
        ("mysql://host/db?ssl_pass=abc&charset=utf8mb4", "mysql://host/db?ssl_pass=***&charset=utf8mb4"),
        ("http://host/?TOKEN", "http://host/?***"),
        ("s3://KEY:SECRET@bucket/runs", "s3://***@bucket/runs"),
        ("sqlite:////home/a@b/m;n#1/mlflow.db", "sqlite:////home/a@b/m;n#1/mlflow.db"),
        ("sqlite+pysqlite:////a/q%3Fx/m.db?password=abc", "sqlite+pysqlite:////a/q%3Fx/m.db?password=***"),
        ("postgresql://host/db?user=me&sslmode=require", "postgresql://host/db?user=me&sslmode=require"),
        ("127.0.0.1:6379", "127.0.0.1:6379"),
        ("none", "none"),
    ],
)
def test_what_is_shown(address, shown):
    assert mask_secrets(address) == shown


@pytest.mark.parametrize("word", ["x", "x:", "//", "x://", "?", "a://b@", "&"])
@pytest.mark.timeout(20)
def test_a_long_text_of_a_server_takes_no_quadratic_time(word):
    assert "s3cret-of-mine" not in without_secrets(word * 100_000 + "s3cret-of-mine", "http://me:s3cret-of-mine@host")


def test_sequences_of_a_terminal_hide_no_secret():
    text = "no: " + "\x1b[0m".join("s3cret-of-mine")
    assert without_secrets(text, "http://me:s3cret-of-mine@host") == "no: ***"


def test_every_address_in_a_text_is_masked():
    text = "no route from http://me:secret@a/x to 'https://token@b?sig=1234', see https://host/page"
    assert mask_in_text(text) == "no route from http://me:***@a/x to 'https://***@b?sig=***', see https://host/page"
