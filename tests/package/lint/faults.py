"""A planted fault for every check, and what a person could write in its place without any finding.

A fault is what a file says, or None for a file that is gone; a pair of texts is a replacement in the file.
"""

from dataclasses import dataclass, field

from tests.package.lint.pipeline import LOCK, LOCKED, PARAMETERS, PIPELINE

CI = ".github/workflows/ci.yml"
CONFTEST = "operation/tests/conftest.py"
SETTINGS = "operation/configuration/environment_prod/settings.yaml"
SLURM, AIRFLOW, PREFECT = (f"operation/configuration/engines/{name}.yaml" for name in ("slurm", "airflow", "prefect"))
PROJECT, TOOL = "pyproject.toml", "[tool.pytest.ini_options]"
ANSWERS = ".copier-answers.yml"
# The package of the fixture comes from a folder; here, it comes from a server, and the template has moved.
PATH_OF_PACKAGE = "sources.copier-mlops]\npath"
GIT_OF_PACKAGE = 'sources.copier-mlops]\nrev = "1.0.0"\ngit = "ssh://git@old.example.org/ml/template.git"\nold'
MOVED = ("_src_path: ", "_src_path: git+https://new.example.org/ml/template\nold: ")
TOKEN = "ghp" + "_" + "a1B2" * 9
LOGIN = (
    "git config --global credential.https://git.example.org.helper "
    """'!f() { echo username=x-token-auth; echo "password=$TEMPLATE_TOKEN"; }; f'"""
)
NOTEBOOK = '{"cells": [{"cell_type": "code", "outputs": [%s], "source": []}]}\n'


@dataclass(frozen=True)
class Fault:
    """What is planted, where it is found, the clean counterpart, and what else the same fault may be found as."""

    check: str
    spoil: dict[str, str | tuple[str, str] | bytes | None]
    path: str = ""
    clean: dict[str, str | tuple[str, str] | bytes | None] = field(default_factory=dict)
    hidden: str = ""
    also: tuple[str, ...] = ()


def locked(check: str, where: str, **texts: str | None) -> Fault:
    """A fault in that pipeline; the pipeline as it is has none."""
    names = {name.rpartition("/")[2].replace(".", "_"): name for name in LOCKED}
    return Fault(check, LOCKED | {names[name]: text for name, text in texts.items()}, where, LOCKED)


def step(text: str) -> tuple[str, str]:
    """Another step in the place of the lint step of CI."""
    return "run: uv run poe lint\n", f"run: {text}\n"


def host(name: str, value: str) -> tuple[str, str]:
    """Another value of a setting of prod."""
    return {
        "port": ("port: 8080", f"port: {value}"),
        "model_alias": ("model_alias: champion", f"model_alias: {value}"),
    }[name]


FAULTS = [
    Fault("MLO001", {"params.yaml": "seed: [1\n"}, "params.yaml", {"params.yaml": ("seed: 42", "seed: 43")}),
    Fault("MLO001", {"poe_tasks.toml": "[tasks\n"}, "poe_tasks.toml", also=("MLO204",)),
    Fault("MLO001", {SETTINGS: b"bind: \xff\n"}, SETTINGS),
    Fault("MLO001", {CONFTEST: "# größer\n".encode("latin-1")}, CONFTEST, {CONFTEST: "# größer\n"}),
    Fault("MLO001", {CONFTEST: "# ours\n".encode("utf-16")}, CONFTEST, {"src/german_credit/x.py": b"# gr\xf6\xdfer\n"}),
    Fault("MLO001", {"notebooks/x.ipynb": "{}\n"}, "notebooks/x.ipynb", {"notebooks/x.ipynb": '{"cells": []}\n'}),
    Fault(
        "MLO101",
        {
            "README.md": "# Ours\n"
            + "<" * 7
            + " before updating\nours\n"
            + "=" * 7
            + "\n"
            + ">" * 7
            + " after updating\n"
        },
        "README.md",
        {"README.md": "Ours\n=======\n\n    " + "<" * 7 + " in a block\n"},
    ),
    Fault("MLO101", {"src/german_credit/x.py": "x = 1\n" + ">" * 7 + " theirs\n"}, "src/german_credit/x.py"),
    Fault("MLO102", {"README.md.rej": "@@ -1 +1 @@\n+lost\n"}, "README.md.rej", {"README.md.rejected": "x\n"}),
    Fault("MLO111", {".copier-answers.yml": None}, "", {".copier-answers.yml": ("_commit: 1.0.0", "_commit: 12e4567")}),
    Fault("MLO111", {".copier-answers.yml": "# nothing\n"}, ".copier-answers.yml"),
    Fault("MLO112", {".copier-answers.yml": ("_commit: 1.0.0", "_commit: ''")}, ".copier-answers.yml"),
    Fault(
        "MLO113",
        {".copier-answers.yml": ("license: MIT", "license: GPL")},
        ".copier-answers.yml",
        {".copier-answers.yml": ("license: MIT", "license: BSD-3-Clause")},
    ),
    Fault("MLO113", {".copier-answers.yml": ("python_version: '3.11'", "python_version: 3.11")}, ".copier-answers.yml"),
    Fault(
        "MLO113",
        {".copier-answers.yml": ("\nserving:\n- batch\n- online", "\nserving:\n- batch\n- onlin")},
        ".copier-answers.yml",
    ),
    Fault(
        "MLO114",
        {".copier-answers.yml": ("package_name: german_credit", "package_name: ours")},
        ".copier-answers.yml",
    ),
    Fault(
        "MLO114",
        {".copier-answers.yml": ("python_version: '3.11'", "python_version: '3.13'")},
        ".copier-answers.yml",
        {".python-version": "3.11.9\n"},
    ),
    Fault("MLO114", {".dvc/config": ("german-credit-data", "elsewhere")}, ".copier-answers.yml"),
    Fault("MLO114", {".copier-answers.yml": ("reached_level: 2", "reached_level: 1")}, ".copier-answers.yml"),
    Fault("MLO201", {".copier-answers.yml": ("git_host: github", "git_host: gitlab")}, CI, also=("MLO113", "MLO202")),
    Fault("MLO202", {CI: None}, "", {".github/dependabot.yml": "version: 2\n"}),
    Fault("MLO203", {CI: step("pytest")}, CI, {CI: step("uv run --frozen poe test --help")}),
    Fault("MLO203", {CI: step("uv run poe lint || true")}, CI, {CI: step("pip install uv==0.9.1")}),
    Fault("MLO203", {CI: step("uv cache prune")}, CI, {CI: step("uv cache prune --ci")}),
    Fault("MLO203", {CI: step("|\n          uv run poe lint\n          uv run poe test")}, CI),
    Fault("MLO203", {CI: ("run: uv run poe lint\n", "script: [[uv run poe lint], [[pytest]]]\n")}, CI),
    Fault("MLO203", {CI: step("uv run poe lint $(whoami | cat)")}, CI, {CI: step("!reference [.ours, script]")}),
    Fault("MLO203", {CI: step("uv run python setup.py")}, CI, {CI: step("uv run python --version")}),
    Fault("MLO203", {CI: step(LOGIN.replace("; }; f", "; curl example.org; }; f"))}, CI, {CI: step(LOGIN)}),
    Fault("MLO204", {CI: step("uv run poe nothing")}, CI, {CI: step("uv run poe format")}),
    Fault(
        "MLO209",
        {PROJECT: (TOOL, f'[tool.poe.tasks.deploy]\ncmd = "echo ours"\n\n{TOOL}')},
        PROJECT,
        {PROJECT: (TOOL, f'[tool.poe.tasks.deploy-ours]\ncmd = "echo ours"\n\n{TOOL}')},
    ),
    Fault("MLO209", {PROJECT: (TOOL, f'[tool.poe.tasks]\ntest = "echo ours"\n\n{TOOL}')}, PROJECT),
    Fault(
        "MLO205",
        {CI: ("      - name: Lint\n", "      - name: Lint\n        continue-on-error: true\n")},
        CI,
        {CI: ("      - name: Lint\n", "      - name: Lint\n        continue-on-error: false\n")},
    ),
    Fault(
        "MLO206",
        {CI: ("    steps:\n", "    steps:\n      - uses: actions/checkout@v4\n")},
        CI,
        {CI: ("    steps:\n", f"    steps:\n      - uses: ./.github/ours\n      - uses: a/b@{'1' * 40}\n")},
    ),
    Fault(
        "MLO207",
        {CI: ("    steps:\n", "    container: python:3.11\n    steps:\n")},
        CI,
        {CI: ("    steps:\n", f"    container: {{image: 'python:3.11@sha256:{'a' * 64}'}}\n    steps:\n")},
    ),
    Fault("MLO207", {CI: ("    steps:\n", "    services: {db: {image: postgres:latest}}\n    steps:\n")}, CI),
    Fault("MLO207", {"Dockerfile": "FROM python\n"}, "Dockerfile", {"Dockerfile": "FROM python:3.11.9 AS a\nFROM a\n"}),
    Fault("MLO207", {"compose.yaml": "services:\n  a:\n    image: b:1\n"}, "compose.yaml"),
    Fault(
        "MLO208",
        {".gitlab/CODEOWNERS": "* @team\n"},
        ".gitlab/CODEOWNERS",
        {".github/CODEOWNERS": "* @team\n", ".gitignored/CODEOWNERS": "* @team\n"},
    ),
    Fault(
        "MLO212",
        {"AGENTS.md": ("uv run poe ci\n", "uv run poe check\n")},
        "AGENTS.md",
        {
            "AGENTS.md": ("uv run poe ci\n", "uv run poe ours\n"),
            PROJECT: (TOOL, f'[tool.poe.tasks.ours]\ncmd = "echo ours"\n\n{TOOL}'),
        },
    ),
    Fault(
        "MLO212",
        {".agents/skills/ours/SKILL.md": "---\nname: ours\n---\n\nRun ``uv run --frozen poe -q tests``, then look.\n"},
        ".agents/skills/ours/SKILL.md",
        {
            ".agents/skills/ours/SKILL.md": "Run `poe TASK`, or `uv run --frozen poe -q test`; poe nothing is prose.\n",
            "docs/ours.md": "Not for agents: `uv run poe nothing`.\n",
        },
    ),
    Fault(
        "MLO212",
        {"CLAUDE.md": "@AGENTS.md\n\n~~~sh\n# first\ncd x && poe nothing\n~~~\n"},
        "CLAUDE.md",
        {"CLAUDE.md": "@AGENTS.md\n\n~~~sh\n# poe nothing\necho poe nothing\nuv run poe\npoe --help\n~~~\n"},
    ),
    Fault("MLO301", {"notebooks/README.md": None}, "", {"docs/data/README.md": None}),
    Fault(
        "MLO401",
        {".dvc/config": ("[core]", "['remote \"b\"']\n    secret_access_key = hunter22\n[core]")},
        ".dvc/config",
        {".dvc/config": ("[core]", "['remote \"b\"']\n    profile = ours\n    url = ssh://me@example.org/x\n[core]")},
        hidden="hunter22",
    ),
    Fault(
        "MLO401",
        {".dvc/config": ("[core]", "['remote \"b\"']\n    url = https://hunter22@example.org/x\n[core]")},
        ".dvc/config",
        hidden="hunter22",
    ),
    Fault(
        "MLO402",
        {SETTINGS: ("bind: ", "tracking_uri: https://me:hunter22@mlflow.example.org\nbind: ")},
        SETTINGS,
        {SETTINGS: ("bind: ", "tracking_uri: https://mlflow.example.org/path?page=2\nbind: ")},
        hidden="hunter22",
    ),
    Fault(
        "MLO402",
        {"raw.yaml": "raw: abfss://bronze:hunter22@lake.dfs.core.windows.net/x\n"},
        "raw.yaml",
        {"raw.yaml": "raw: abfss://bronze@lake.dfs.core.windows.net/x\n"},
        hidden="hunter22",
    ),
    Fault(
        "MLO402",
        {SETTINGS: ("bind: ", "tracking_uri: https://mlflow.example.org/?a=1&access_token=hunter22\nbind: ")},
        SETTINGS,
        hidden="hunter22",
    ),
    Fault(
        "MLO402",
        {".copier-answers.yml": ("_src_path: ", "_src_path: https://hunter22@example.org/t.git\nold: ")},
        ".copier-answers.yml",
        hidden="hunter22",
    ),
    Fault(
        "MLO403",
        {"model.yaml": "pad_token: hunter22\n"},
        "model.yaml",
        {"model.yaml": 'pad_token: "[PAD]"\neos_token: </s>\n'},
        hidden="hunter22",
    ),
    Fault(
        "MLO403",
        {"operation/configuration/ours.yaml": "mlflow:\n  trackingPassword: hunter22\n"},
        "operation/configuration/ours.yaml",
        {"operation/configuration/ours.yaml": "password: ${PASSWORD}\nmax_tokens: 4\ntoken: ''\nsecret:\n  name: x\n"},
        hidden="hunter22",
    ),
    Fault("MLO404", {".env": "A=1\n"}, ".env", {".env.example": "A=\n"}),
    Fault("MLO404", {".dvc/config.local": "x\n"}, ".dvc/config.local"),
    Fault("MLO405", {"docs/x.md": f"use {TOKEN}\n"}, "docs/x.md", {"docs/x.md": "use ghp_…\n"}, hidden=TOKEN),
    Fault(
        "MLO405",
        {"docs/key.pem": "-----BEGIN RSA PRIVATE" + " KEY-----\n" + "MIIE" * 16 + "\n"},
        "docs/key.pem",
        {"docs/key.pem": "-----BEGIN CERTIFICATE-----\n" + "MIIE" * 16 + "\n"},
    ),
    Fault("MLO501", {"data/raw/x.csv": "a,b\n"}, "data/raw/x.csv", {"data/raw/x.csv.dvc": "outs: []\n"}),
    Fault("MLO501", {"notebooks/x.parquet": b"PAR1\0"}, "notebooks/x.parquet", {"docs/x.csv": "a\n"}),
    Fault(
        "MLO502", {"src/german_credit/m.pkl": b"\x80\0"}, "src/german_credit/m.pkl", {"docs/m.pkl.dvc": "outs: []\n"}
    ),
    Fault("MLO503", {"docs/x.bin": b"\0" * 1_000_001}, "docs/x.bin", {"docs/x.bin": b"\0" * 1_000_000}),
    Fault("MLO504", {"notebooks/x.ipynb": NOTEBOOK % "{}"}, "notebooks/x.ipynb", {"notebooks/x.ipynb": NOTEBOOK % ""}),
    locked("MLO601", "dvc.lock", dvc_yaml=PIPELINE.replace("  read:", "  more: {cmd: x}\n  read:")),
    locked("MLO601", "dvc.lock", dvc_yaml=PIPELINE.replace("[tree, forest]", "[tree]")),
    locked("MLO601", "dvc.lock", dvc_yaml=None),
    locked("MLO602", "dvc.lock", dvc_yaml=PIPELINE.replace("--folds", "--parts")),
    locked("MLO602", "dvc.lock", dvc_yaml=PIPELINE.replace("- folds: 5", "- folds: 6")),
    locked("MLO603", "dvc.lock", dvc_yaml=PIPELINE.replace("params: [seed]", "params: [seed, train]")),
    locked("MLO604", "dvc.lock", read_py="print(2)\n"),
    locked("MLO604", "dvc.lock", ours_csv_dvc=LOCKED["data/raw/ours.csv.dvc"].replace("md5: ", "md5: 0")),
    locked(
        "MLO604", "dvc.lock", dvc_yaml=PIPELINE.replace("[data/raw/ours.csv, ", "[src/more.py, data/raw/ours.csv, ")
    ),
    locked(
        "MLO604",
        "dvc.lock",
        dvc_lock=LOCK.replace(
            "deps:\n    - path: data/interim/ours.parquet\n      hash: md5\n      md5: 0",
            "deps:\n    - path: data/interim/ours.parquet\n      hash: md5\n      md5: 1",
            1,
        ),
    ),
    locked("MLO605", "dvc.lock", tree_json=None),
    locked("MLO605", "metrics/forest.json", forest_json='{"auc": 0.9}\n'),
    Fault("MLO603", LOCKED | {"params.yaml": PARAMETERS.replace("42", "43")}, "dvc.lock", LOCKED, also=("MLO602",)),
    Fault("MLO701", {SETTINGS: None}, "", {SETTINGS: ("max_records: 1000", "max_records: 500")}),
    Fault("MLO702", {SETTINGS: host("port", "high")}, SETTINGS, {SETTINGS: host("port", "'0'")}),
    Fault("MLO702", {SETTINGS: host("port", "70000")}, SETTINGS),
    Fault("MLO702", {SETTINGS: host("model_alias", "yes")}, SETTINGS, {SETTINGS: host("model_alias", "1e3")}),
    Fault("MLO702", {SETTINGS: host("model_alias", "champion\nprot: 1")}, SETTINGS),
    Fault("MLO702", {SETTINGS: ("model_alias: champion\n", "")}, SETTINGS),
    Fault("MLO702", {SETTINGS: "just text\n"}, SETTINGS),
    Fault(
        "MLO702",
        {SETTINGS: ("port: ", "tracking_uri:\nport: ")},
        SETTINGS,
        {SETTINGS: ("port: ", "tracking_uri: https://mlflow.example.org\nport: ")},
    ),
    Fault("MLO702", {SETTINGS: "1: 2\n"}, SETTINGS),
    Fault("MLO702", {SLURM: "partiton: long\n"}, SLURM, {SLURM: "partition: long\n"}),
    Fault("MLO702", {AIRFLOW: "url: http://localhost:8080\nschedule: 3\n"}, AIRFLOW),
    Fault("MLO702", {PREFECT: "type: procces\n"}, PREFECT, {PREFECT: "job_variables: {env: {TZ: UTC}}\n"}),
    Fault(
        "MLO901",
        {PROJECT: ("[tool.uv.sources.copier-mlops]\npath", "[tool.ours]\npath")},
        PROJECT,
        {PROJECT: ("sources.copier-mlops]\npath", 'sources.copier-mlops]\nrev = "1.0.0"\ngit')},
    ),
    Fault("MLO901", {PROJECT: ("sources.copier-mlops]\npath", "sources.copier-mlops]\ngit")}, PROJECT),
    Fault("MLO901", {PROJECT: '[project]\nname = "ours"\nversion = "1"\n'}, PROJECT),
    Fault(
        "MLO902",
        {"operation/execution/track.py": "x = 1\n"},
        "operation/execution/track.py",
        {"operation/execution/ours.py": "x = 1\n"},
    ),
    Fault(
        "MLO903",
        {"src/german_credit/x.py": "from operation.execution import (  # drawn (here\n    charts,\n)\n"},
        "src/german_credit/x.py",
        {"src/german_credit/x.py": "from operation.execution import serve\n# from operation.execution import charts\n"},
    ),
    Fault("MLO903", {"docs/x.py": "import os\nimport operation.execution.host.api as api, sys\n"}, "docs/x.py"),
    Fault(
        "MLO903",
        {
            "notebooks/x.ipynb": NOTEBOOK.replace(
                '"source": []', '"source": [\n"from operation.execution import charts\\n"\n]'
            )
            % ""
        },
        "notebooks/x.ipynb",
    ),
    Fault(
        "MLO903",
        {PROJECT: (TOOL, f'[tool.poe.tasks.ours]\ncmd = "python -m operation.execution.report --ours"\n\n{TOOL}')},
        PROJECT,
        {PROJECT: (TOOL, f'[tool.poe.tasks.ours]\nscript = "operation.execution.serve:ours"\n\n{TOOL}')},
    ),
    Fault(
        "MLO903",
        {"operation/configuration/environment_prod/ours.yaml": "resources: [../../execution/release/kubernetes]\n"},
        "operation/configuration/environment_prod/ours.yaml",
        {"operation/configuration/environment_prod/ours.yaml": "resources: [../../execution/kubernetes]\n"},
    ),
    Fault(
        "MLO904",
        {PROJECT: (PATH_OF_PACKAGE, GIT_OF_PACKAGE), ANSWERS: MOVED},
        ANSWERS,
        {PROJECT: (PATH_OF_PACKAGE, GIT_OF_PACKAGE.replace("old.example.org", "new.example.org")), ANSWERS: MOVED},
    ),
    Fault(
        "MLO904",
        {PROJECT: (PATH_OF_PACKAGE, GIT_OF_PACKAGE), ANSWERS: ("_src_path: ", "_src_path: gh:ml/template\nold: ")},
        ANSWERS,
        {
            PROJECT: (PATH_OF_PACKAGE, GIT_OF_PACKAGE.replace("old.example.org", "github.com")),
            ANSWERS: ("_src_path: ", "_src_path: gh:ml/template\nold: "),
        },
    ),
]
