"""Secrets in what git keeps. A finding never repeats the secret that it found."""

import re
from collections.abc import Iterator

from copier_mlops.lint.checks import check
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project

SETTINGS = (".yaml", ".yml", ".toml", ".cfg", ".ini", ".json", ".properties", ".dvc/config")
# Options of DVC that hold a credential: they belong into .dvc/config.local.
DVC_OPTIONS = {
    "access_key_id", "account_key", "client_secret", "connection_string", "gdrive_client_secret", "key", "oss_key_id",
    "oss_key_secret", "passphrase", "password", "sas_token", "secret_access_key", "session_token", "token",
}  # fmt: skip
URL = re.compile(r"""\b([a-z][a-z0-9+.-]{0,20})://([^\s/'"<>?#]*)([^\s'"<>]*)""", re.IGNORECASE)
QUERY = re.compile(
    r"[?&;]((?:[\w-]*[_-])?(?:access_?key|account_?key|api_?key|key|pass|passwd|password|pwd|sas|secret|sig|signature|token))=([^&;\s]+)",
    re.IGNORECASE,
)
# Schemes in which a user name is an address, and no secret, as long as no password follows.
USER_IS_FINE = {"ssh", "sftp", "git+ssh", "git"}
PAIR = re.compile(r"""^\s*(?:-\s+)?["']?([A-Za-z][\w.-]*)["']?\s*[:=]\s*(\S.*)$""")
NAME = re.compile(
    r"(?:^|[_.-])(?:passwd|password|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key"
    r"|secret[_-]?access[_-]?key|sas[_-]?token|connection[_-]?string)$"
)
# No value, a right of a job, a group of values, or a reference to what is kept elsewhere.
EMPTY = re.compile(
    r"""^(?:["']{2}|~|null|true|false|none|read|write|[\[{].*|[|>][+-]?|["']?(?:\$|<|\{\{|!|%\().*|["']?\*+["']?)$""",
    re.IGNORECASE,
)
# How the tokens of widespread services look.
TOKEN = re.compile(
    rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,}|glpat-[\w-]{20,}|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{20,}"
    rb"|dapi[0-9a-f]{32}|hf_[A-Za-z]{34}|AIza[\w-]{35}|sk-[A-Za-z0-9_-]{40,}|pypi-[\w-]{80,})"
    rb"|-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}|AccountKey=[A-Za-z0-9+/=]{40,}"
)
SECRET_FILES = re.compile(
    r"(?:^|/)(?:\.env(?:\..+)?|\.netrc|_netrc|\.pypirc|\.pgpass|id_(?:rsa|dsa|ecdsa|ed25519)|[^/]+\.(?:p12|pfx|jks|ppk)"
    r"|\.dvc/config\.local|\.databrickscfg)$"
)
EXAMPLES = (".example", ".sample", ".template", ".dist", ".pub")


def lines(project: Project, *suffixes: str) -> Iterator[tuple[str, int, str]]:
    """Every line of the settings of a project."""
    for path, content in project.texts(*suffixes):
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            yield path, number, line


def leaks(text: str) -> Iterator[str]:
    """What the addresses in a text give away, without saying it."""
    for scheme, place, rest in URL.findall(text):
        user, is_there, _ = place.rpartition("@")
        name, has_password, password = user.partition(":")
        if is_there and has_password and password and not EMPTY.match(password):
            yield f"a {scheme}:// address holds a password"
        elif is_there and user and scheme.lower() not in USER_IS_FINE and not EMPTY.match(name):
            yield f"a {scheme}:// address holds a user name or a token"
        for key, value in QUERY.findall(rest):
            if not EMPTY.match(value):
                yield f"a {scheme}:// address holds a secret in its query, as `{key}`"


@check("MLO401")
def dvc(project: Project) -> Iterator[Finding]:
    """A credential in DVC's configuration, as an option or in an address."""
    for path, number, line in lines(project, ".dvc/config"):
        name, _, value = line.partition("=")
        if name.strip() in DVC_OPTIONS and value.strip():
            yield Finding(path, number, "MLO401", f"`{name.strip()}` is a credential, and git keeps this file")
        for said in leaks(line):
            yield Finding(path, number, "MLO401", said)


@check("MLO402")
def address(project: Project) -> Iterator[Finding]:
    """A credential in an address of any settings."""
    for path, number, line in lines(project, *SETTINGS):
        if "://" in line and not path.endswith(".dvc/config"):
            for said in leaks(line):
                yield Finding(path, number, "MLO402", said)


@check("MLO403")
def value(project: Project) -> Iterator[Finding]:
    """A setting whose name says that its value is a secret."""
    for path, number, line in lines(project, ".yaml", ".yml", ".properties", ".ini", ".cfg"):
        found = PAIR.match(line)
        if not found:
            continue
        name = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", found[1]).lower()
        text = found[2].partition(" #")[0].strip().rstrip(",")
        if NAME.search(name) and text and not text.startswith("#") and not EMPTY.match(text):
            yield Finding(path, number, "MLO403", f"`{found[1]}` has a value that git keeps")


@check("MLO404")
def file(project: Project) -> Iterator[Finding]:
    """A file that is there to hold secrets."""
    for path in sorted(project.tracked):
        if SECRET_FILES.search(path) and not path.endswith(EXAMPLES):
            yield Finding(path, 0, "MLO404", "a file for secrets of one machine is in git")


@check("MLO405")
def token(project: Project) -> Iterator[Finding]:
    """A text that looks like a token or a private key."""
    for path, content in project.texts():
        for found in TOKEN.finditer(content):
            line = content[: found.start()].count(b"\n") + 1
            yield Finding(path, line, "MLO405", "looks like the token of a service, or a private key")
