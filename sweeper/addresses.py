"""Addresses without their secrets, as they may be printed, logged and stored."""

import base64
import json
import os
import re
from urllib.parse import quote, unquote

from search_spaces.errors import without_sequences

_SCHEMES = "https?|sqlite|postgres(?:ql)?|mysql|mariadb|mssql|oracle|s3|gs|ftp|file|ray|databricks"
# What precedes a user: a scheme, also one that was typed wrong (http//, https:/, htp://), or slashes alone.
_START = re.compile(rf"\s*(?:[a-z][a-z0-9+.-]{{0,20}}:?//+|(?:{_SCHEMES})(?:\+\w+)?(?::/*|/+)|/+)?", re.IGNORECASE)
_FILE = re.compile(r"\s*(?:sqlite(?:\+\w+)?|file):///", re.IGNORECASE)  # a path follows, and no user
_TAIL = re.compile(r"[?#;].*", re.DOTALL)  # the parameters
_FILE_TAIL = re.compile(r"\?.*", re.DOTALL)  # those of a file, whose path may have the other signs
_PARAMETER = re.compile(r"([?#;]|&)([^=&]*)(=?)([^&]*)")
# A scheme without bound would take quadratic time: minutes for a word of 100,000 letters.
_ADDRESS_IN_TEXT = re.compile(r"[a-z][a-z0-9+.-]{0,20}:?//[^\s'\"<>|]+", re.IGNORECASE)
_NAME = re.compile(r"[a-z]{1,10}")  # of a user: no token is as short and has small letters alone
_SAFE_PARAMETERS = {"charset", "connect_timeout", "driver", "sslmode", "timeout"}
_SAFE_VALUE = re.compile(r"[a-z0-9+ -]{1,20}")
# The secrets that a server may repeat though no address holds them.
_SECRET_VARIABLES = (
    *("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    "RAY_AUTH_TOKEN",
)
_STARS = "***"


def mask_secrets(address: str) -> str:
    """Return an address with stars in place of everything that may be a secret.

    A secret may be a password, a token in the place of a user, or the value of a parameter. What is kept is known to be
    harmless: the name of a user before a password if it has up to ten small letters, and parameters as ``sslmode``.

    >>> mask_secrets("http://me:secret@host:5000/x")
    'http://me:***@host:5000/x'
    >>> mask_secrets("https://dG9rZW4@host?sig=abc")
    'https://***@host?sig=***'
    """
    start, rest = _split(address)
    if "@" in rest and not _FILE.match(address):
        user, _, rest = rest.rpartition("@")  # the last @, because a password may have others
        name, colon, password = user.partition(":")
        start += (
            (f"{name}:{_STARS}@" if password and colon and _NAME.fullmatch(name) else f"{_STARS}@") if user else "@"
        )
    tail_of = _FILE_TAIL if _FILE.match(address) else _TAIL
    return start + tail_of.sub(lambda tail: _PARAMETER.sub(_masked_parameter, tail.group()), rest)


def _split(address: str) -> tuple[str, str]:
    """Return what precedes the user or the path of an address, and the rest."""
    match = _FILE.match(address) or _START.match(address)
    assert match, "_START matches the empty text too"
    return address[: match.end()], address[match.end() :]


def _masked_parameter(match: re.Match[str]) -> str:
    """Return a parameter of an address; its value masked unless it is known to be harmless."""
    mark, name, equals, value = match.groups()
    if not equals:  # a value without a name
        return mark + (name if len(name) <= 2 else _STARS)
    harmless = len(value) <= 2 or (name.lower() in _SAFE_PARAMETERS and _SAFE_VALUE.fullmatch(value))
    harmless = harmless or (name.lower() in {"user", "username"} and _NAME.fullmatch(value))
    return f"{mark}{name}={value if harmless else _STARS}"


def mask_in_text(text: str) -> str:
    """Return a text with every address in it masked by ``mask_secrets``."""
    return _ADDRESS_IN_TEXT.sub(lambda match: mask_secrets(match.group()), text)


def secrets_in(address: str) -> set[str]:
    """Return the texts of an address that ``mask_secrets`` takes for secrets, those of up to two characters apart."""
    user, at, rest = _split(address)[1].rpartition("@")
    parts = [user, *user.partition(":")[::2]] if at and not _FILE.match(address) else []
    tail = _TAIL.search(rest if parts else address)
    found = [match.groups() for match in _PARAMETER.finditer(tail.group())] if tail else []
    parts += [value if equals else name for _, name, equals, value in found]
    return {part for part in parts if len(part) > 2 and part not in mask_secrets(address)}


def without_secrets(text: str, address: str) -> str:
    """Return a text of a server without the secrets of its address and of the environment, in whatever form they are.

    Addresses in the text are masked as well. Sequences that a terminal obeys go first: they may part a secret.
    """
    text = without_sequences(text)
    secrets = secrets_in(address)
    user = os.environ.get("MLFLOW_TRACKING_USERNAME", "")
    for name in _SECRET_VARIABLES:
        if value := os.environ.get(name):
            secrets |= {value, f"{user}:{value}"}
    forms = {form for secret in secrets for form in _forms(secret) if len(form) > 2}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, _STARS)
    return mask_in_text(text.replace(address, mask_secrets(address)))


def _forms(secret: str) -> set[str]:
    """Return a secret as it may stand in the text of a server: percent-encoded or not, in base64, or in JSON."""
    plain = unquote(secret)
    encoded = {base64.b64encode(text.encode("utf-8", "replace")).decode() for text in (secret, plain)}
    return {secret, plain, quote(plain), quote(plain, safe=""), json.dumps(plain)[1:-1], *encoded}
