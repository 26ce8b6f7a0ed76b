"""Secrets in what git keeps. A finding never repeats the secret that it found."""

import re
from collections.abc import Iterator

from copier_mlops.lint.check import Check, Example
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.project import Project

SETTINGS = (".yaml", ".yml", ".toml", ".cfg", ".ini", ".json", ".properties", ".dvc/config")
# Options of DVC that hold a credential: they belong in .dvc/config.local.
DVC_OPTIONS = {
    "access_key_id", "account_key", "client_secret", "connection_string", "gdrive_client_secret", "key", "oss_key_id",
    "oss_key_secret", "passphrase", "password", "sas_token", "secret_access_key", "session_token", "token",
}  # fmt: skip
URL = re.compile(r"""\b([a-z][a-z0-9+.-]{0,20})://([^\s/'"<>?#]*)([^\s'"<>]*)""", re.IGNORECASE)
QUERY = re.compile(
    r"[?&;]((?:[\w-]*[_-])?(?:access_?key|account_?key|api_?key|key|pass|passwd|password|pwd|sas|secret|sig|signature|token))=([^&;\s]+)",
    re.IGNORECASE,
)
# Schemes in which a user name is a part of the address and not a secret, unless a password follows.
USER_IS_FINE = {"ssh", "sftp", "git+ssh", "git", "abfs", "abfss", "wasb", "wasbs"}
PAIR = re.compile(r"""^\s*(?:-\s+)?["']?([A-Za-z][\w.-]*)["']?\s*[:=]\s*(\S.*)$""")
NAME = re.compile(
    r"(?:^|[_.-])(?:passwd|password|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key"
    r"|secret[_-]?access[_-]?key|sas[_-]?token|connection[_-]?string)$"
)
# Not a secret: no value, a permission of a job, a group of values, or a reference to a value that is elsewhere. Nor is
# a mark of a tokenizer, for example `pad_token: "[PAD]"`.
EMPTY = re.compile(
    r"""^(?:["']{2}|~|null|true|false|none|read|write|[\[{].*|[|>][+-]?|["']?(?:\$|<|\{\{|!|%\().*|["']?\*+["']?|["']?\[\w+\]["']?)$""",
    re.IGNORECASE,
)
# The forms of the tokens of widespread services.
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
    """Yield every line of the files with these suffixes."""
    for path, content in project.texts(*suffixes):
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            yield path, number, line


def leaks(text: str) -> Iterator[str]:
    """Yield what the addresses in a text give away, without repeating it."""
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


class DvcCredentials(Check):
    """A credential in DVC's configuration, as an option or in an address."""

    id = "MLO401"
    name = "dvc-credentials"
    page = "secrets"
    finds = "An option of `.dvc/config` that is a credential, or an address there with a password or a token."
    why = "This file is in git, so everybody who can read the repository can read the data."
    fix = (
        "Move it to `.dvc/config.local` (`dvc remote modify --local …`) or to the environment. Then replace the "
        "credential: the history still has it."
    )
    example = Example(
        ".dvc/config",
        "['remote \"storage\"']\n    url = s3://bucket/data\n    secret_access_key = hunter2\n",
        "['remote \"storage\"']\n    url = s3://bucket/data\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Judge options by their name, and addresses."""
        for path, number, line in lines(project, ".dvc/config"):
            name, _, value = line.partition("=")
            if name.strip() in DVC_OPTIONS and value.strip():
                yield self.found(path, number, f"`{name.strip()}` is a credential, and this file is in git")
            for said in leaks(line):
                yield self.found(path, number, said)


class UrlCredentials(Check):
    """A credential in an address of any settings."""

    id = "MLO402"
    name = "url-credentials"
    page = "secrets"
    finds = "An address in settings, answers or pipelines that has a password, a token, or a secret in its query."
    why = "Tracking URIs and endpoints end up in logs and cards."
    fix = (
        "Keep only the bare address and pass the credential through the environment. Then replace it: the history "
        "still has it."
    )
    example = Example(
        "operation/configuration/environment_prod/settings.yaml",
        "tracking_uri: https://ada:hunter2@mlflow.example.org\n",
        "tracking_uri: https://mlflow.example.org\n",
    )

    def look(self, project: Project) -> Iterator[Finding]:
        """Look at the addresses in all settings except DVC's."""
        for path, number, line in lines(project, *SETTINGS):
            if "://" in line and not path.endswith(".dvc/config"):
                for said in leaks(line):
                    yield self.found(path, number, said)


class SecretValue(Check):
    """A setting whose name says that its value is a secret."""

    id = "MLO403"
    name = "secret-value"
    page = "secrets"
    finds = (
        "A setting that has a name such as `password` or `api_key`, and a literal value. References such as `${NAME}` "
        "are allowed."
    )
    why = "Everybody who can read the repository has it."
    fix = "Read it from the environment. Then replace the secret: the history still has it."
    example = Example("compose.yaml", "POSTGRES_PASSWORD: hunter2\n", "POSTGRES_PASSWORD: ${POSTGRES_PASSWORD}\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Judge the lines of settings by the name before the value."""
        for path, number, line in lines(project, ".yaml", ".yml", ".properties", ".ini", ".cfg"):
            found = PAIR.match(line)
            if not found:
                continue
            name = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", found[1]).lower()
            text = found[2].partition(" #")[0].strip().rstrip(",")
            if NAME.search(name) and text and not text.startswith("#") and not EMPTY.match(text):
                yield self.found(path, number, f"`{found[1]}` has a literal value in git")


class SecretFile(Check):
    """A file whose purpose is to keep secrets."""

    id = "MLO404"
    name = "secret-file"
    page = "secrets"
    finds = (
        "An `.env` file, `.dvc/config.local`, a `.netrc`, a key store or a similar file in git. Names that end in "
        "`.example` are allowed."
    )
    why = "The purpose of such a file is to keep what must not be in git."
    fix = (
        "`git rm --cached FILE` and add it to `.gitignore`. Then replace the secrets in it: the history still has them."
    )
    example = Example("git ls-files", ".env\n", ".env.example\n")

    def look(self, project: Project) -> Iterator[Finding]:
        """Judge files in git by their name."""
        for path in sorted(project.tracked):
            if SECRET_FILES.search(path) and not path.endswith(EXAMPLES):
                yield self.found(path, 0, "a file for secrets of one machine is in git")


class KnownToken(Check):
    """A text that looks like a token or a private key."""

    id = "MLO405"
    name = "known-token"
    page = "secrets"
    finds = "A text in any file that looks like the token of a widespread service, or like a private key."
    why = "Robots find such a text within minutes after a push."
    fix = "Replace the token at the service first, then delete it here."
    example = Example("src/my_package/fetch.py", 'TOKEN = "ghp_…"\n', 'TOKEN = os.environ["GITHUB_TOKEN"]\n')

    def look(self, project: Project) -> Iterator[Finding]:
        """Search all texts."""
        for path, content in project.texts():
            for found in TOKEN.finditer(content):
                line = content[: found.start()].count(b"\n") + 1
                yield self.found(path, line, "looks like the token of a service, or a private key")
