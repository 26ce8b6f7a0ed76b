"""Faults that a person could make in a rendered file: each of them is seen.

What a fault looks for is written as it stands in the file, but for the pins: <uv>, <checkout>, <setup-uv>, <download-artifact>.
"""
# ruff: noqa: E501

import shutil
from pathlib import Path

import pytest

from tests.pipelines.hosts import faults
from tests.project import files, matches, registry

PINS = {"<uv>": registry("tested")["uv"]}
for pin in registry("hosts")["github"]["actions"].values():
    PINS[f"<{pin['uses'].split('/')[-1]}>"] = f"{pin['commit']} # {pin['version']}"
ANSWERS = {"maturity_level": 4, "cloud": "aws", "heavy_runner": "gpu"}

CI, CD, MONITOR = (f".github/workflows/{name}.yml" for name in ("ci", "cd", "monitor"))
UPDATE, PREPARE = ".github/workflows/template-update.yml", ".github/actions/prepare/action.yml"
GITHUB = {
    "a gate is dropped": (CD, "    environment: prod\n", ""),
    "the wrong environment": (CD, "environment: prod", "environment: stage"),
    "a failure is swallowed": (CD, "run: uv run poe verify --env prod", "run: uv run poe verify --env prod || true"),
    "a failed step does not count": (
        CD,
        "run: uv run poe train\n",
        "run: uv run poe train\n        continue-on-error: true\n",
    ),
    "what a job made is not kept": (
        CD,
        "          name: judge\n          path: build/judge\n          if",
        "          name: judge\n          path: build/train\n          if",
    ),
    "nothing to keep is no error": (CD, "if-no-files-found: error", "if-no-files-found: warn"),
    "what another job made is not taken": (
        CD,
        "      - name: Take what judge left\n        uses: actions/download-artifact@<download-artifact>\n        with:\n          name: judge\n          path: build/judge\n",
        "",
    ),
    "a need is dropped": (CD, "    needs: [deploy-stage]\n", ""),
    "a need is another": (CD, "    needs: [deploy-stage]\n", "    needs: [train]\n"),
    "a wider right": (CD, "contents: read", "contents: write"),
    "a right for the whole flow": (CI, "permissions: {}", "permissions: write-all"),
    "a right that nobody described": (CD, "contents: read", "contents: read\n      packages: write"),
    "identity is missing": (CD, "      id-token: write # logs in to the cloud\n", ""),
    "identity where nobody logs in": (CI, "contents: read", "contents: read\n      id-token: write"),
    "an action by its tag": (PREPARE, "astral-sh/setup-uv@<setup-uv>", "astral-sh/setup-uv@v10"),
    "another commit of an action": (CI, "<checkout>", "0" * 40),
    "an action from elsewhere": (CD, "actions/upload-artifact@", "someone/upload-artifact@"),
    "a secret": (CD, "HOST_TOKEN: ${{ github.token }}", "HOST_TOKEN: ${{ secrets.ADMIN }}"),
    "a token that may not push workflows": (UPDATE, "secrets.TEMPLATE_UPDATE_TOKEN || ", ""),
    "every workflow may read that token": (
        UPDATE,
        "    environment: template-update # has the token that may push workflows\n",
        "",
    ),
    "an update that may not be pushed": (UPDATE, "contents: write # pushes a branch", "contents: read"),
    "the token for a step that needs none": (
        CD,
        "run: uv run poe package\n",
        "run: uv run poe package\n        env:\n          HOST_TOKEN: ${{ github.token }}\n",
    ),
    "a step that is no task": (CI, "run: uv run poe lint", "run: ruff check"),
    "another task": (CD, "run: uv run poe deploy --env prod", "run: uv run poe deploy --env stage"),
    "two tasks in one step": (CI, "run: uv run poe lint", "run: uv run poe lint; uv run poe test"),
    "a step is dropped": (CI, "      - name: Unit tests\n        run: uv run poe test\n", ""),
    "the check of the approval is dropped": (
        CD,
        "      - name: Check the approval\n        run: uv run poe gate-check prod\n        env:\n          HOST_TOKEN: ${{ github.token }}\n",
        "",
    ),
    "another schedule": (MONITOR, "cron: 23 5 * * *", "cron: 23 5 * * 1"),
    "a schedule is dropped": (UPDATE, "  schedule:\n    - cron: 41 6 * * 1\n", ""),
    "the paths are dropped": (
        CD,
        "    paths:\n      - data/**\n      - src/**\n      - dvc.yaml\n      - params.yaml\n",
        "",
    ),
    "a path is dropped": (CD, "      - params.yaml\n", ""),
    "another branch": (CD, "branches: [main]", "branches: ['**']"),
    "a fork gets the token": (CI, "    if: github.event.pull_request.head.repo.full_name == github.repository\n", ""),
    "a pull request of a fork runs with rights": (CI, "  pull_request:", "  pull_request_target:"),
    "no limit of time": (CD, "    timeout-minutes: 240\n", ""),
    "a release is cancelled": (CD, "cancel-in-progress: false", "cancel-in-progress: true"),
    "the checkout keeps its credentials": (CD, "persist-credentials: false", "persist-credentials: true"),
    "half of the history": (CI, "          fetch-depth: 0\n", ""),
    "a stale lock is no error": (CI, '      UV_LOCKED: "1"\n', '      UV_LOCKED: "0"\n'),
    "heavy work runs anywhere": (CD, "runs-on: gpu", "runs-on: ubuntu-24.04"),
    "the cache of DVC is dropped": (PREPARE, "path: .dvc/cache", "path: .dvc/tmp"),
    "an input has no effect": (
        ".github/workflows/provision.yml",
        "OPERATION_ENVIRONMENT: ${{ inputs.environment }}",
        "OPERATION_ENVIRONMENT: stage",
    ),
    "an input allows more": (
        ".github/workflows/teardown.yml",
        "options: [dev, stage, prod]",
        "options: [dev, stage, prod, all]",
    ),
}

CI, CD, MONITOR, VARIABLES = (f"azure_pipelines/{name}.yml" for name in ("ci", "cd", "monitor", "variables"))
UPDATE, PREPARE = "azure_pipelines/template-update.yml", "azure_pipelines/templates/prepare.yml"
AZURE = {
    "a gate is dropped": (CD, "    environment: prod\n", ""),
    "the wrong environment": (CD, "environment: prod", "environment: stage"),
    "a failure is swallowed": (
        CD,
        "script: uv run poe verify --env prod",
        "script: uv run poe verify --env prod || true",
    ),
    "a failed step does not count": (
        CD,
        "script: uv run poe train\n",
        "script: uv run poe train\n        continueOnError: true\n",
    ),
    "a failed job does not count": (
        CD,
        "    displayName: Train\n",
        "    displayName: Train\n    continueOnError: true\n",
    ),
    "what a job made is not kept": (
        CD,
        "          - publish: $(Build.SourcesDirectory)/build/judge\n            artifact: judge\n            displayName: Keep what judge made\n",
        "",
    ),
    "something else is kept": (
        CD,
        "build/package\n            artifact: package",
        "build/train\n            artifact: package",
    ),
    "what another job made is not taken": (CD, "takes: [release, package]", "takes: [release]"),
    "a need is dropped": (CD, "    dependsOn: [deploy_stage]\n", ""),
    "a need is another": (CD, "dependsOn: [deploy_stage]", "dependsOn: [train]"),
    "it runs after a failure": (
        CD,
        "    dependsOn: [deploy_stage]\n",
        "    dependsOn: [deploy_stage]\n    condition: always()\n",
    ),
    "identity is missing": (CD, "          SYSTEM_OIDCREQUESTURI: $(System.OidcRequestUri)\n", ""),
    "identity where nobody logs in": (
        CI,
        "HOST_TOKEN: $(System.AccessToken)",
        "HOST_TOKEN: $(System.AccessToken)\n          SYSTEM_OIDCREQUESTURI: $(System.OidcRequestUri)",
    ),
    "a secret": (CD, "HOST_TOKEN: $(System.AccessToken)", "HOST_TOKEN: $(ADMIN_TOKEN)"),
    "a variable group": (CD, "  - template: variables.yml\n", "  - template: variables.yml\n  - group: secrets\n"),
    "the token for a step that needs none": (
        CD,
        "script: uv run poe package\n",
        "script: uv run poe package\n        env:\n          HOST_TOKEN: $(System.AccessToken)\n",
    ),
    "a step that is no task": (CI, "script: uv run poe lint", "script: ruff check"),
    "another shell": (CI, "- script: uv run poe lint", "- bash: uv run poe lint"),
    "another task": (CD, "script: uv run poe deploy --env prod", "script: uv run poe deploy --env stage"),
    "the check of the approval is dropped": (
        CD,
        "                - script: uv run poe gate-check prod\n                  displayName: Check the approval\n                  env:\n                    HOST_TOKEN: $(System.AccessToken)\n",
        "",
    ),
    "another schedule": (MONITOR, "cron: 23 5 * * *", "cron: 23 5 * * 1"),
    "a schedule that skips quiet days": (MONITOR, "    always: true\n", ""),
    "the paths are dropped": (
        CD,
        "  paths:\n    include:\n      - data/**\n      - src/**\n      - dvc.yaml\n      - params.yaml\n",
        "",
    ),
    "another branch": (CD, "include: [main]", "include: ['*']"),
    "a pull request releases": (CD, "pr: none\n", ""),
    "a push provisions": ("azure_pipelines/provision.yml", "trigger: none\n", ""),
    "a fork gets the token": (CI, ", ne(variables['System.PullRequest.IsFork'], 'True')", ""),
    "no limit of time": (CD, "    timeoutInMinutes: 240\n", ""),
    "releases side by side": (CD, "  batch: true\n", ""),
    "nobody waits for a lock": (CD, "lockBehavior: sequential\n", ""),
    "the checkout keeps its credentials": (PREPARE, "persistCredentials: false", "persistCredentials: true"),
    "no checkout": (PREPARE, "checkout: self", "checkout: none"),
    "half of the history": (UPDATE, "          depth: 0\n", "          depth: 1\n"),
    "a parameter of the wrong type": (UPDATE, "depth: 0", "depth: all"),
    "a parameter that nobody declared": (UPDATE, "depth: 0", "history: true"),
    "a parameter that is misspelt": (PREPARE, "${{ parameters.depth }}", "${{ parameters.deep }}"),
    "a loop over nothing": (PREPARE, "each job in parameters.takes", "each job in parameters.jobs"),
    "uv by whatever version": (PREPARE, "uv==$(UV_VERSION)", "uv"),
    "another uv": (VARIABLES, "UV_VERSION: <uv>", "UV_VERSION: 0.1.0"),
    "a stale lock is no error": (VARIABLES, 'UV_LOCKED: "1"', 'UV_LOCKED: "0"'),
    "heavy work runs anywhere": (CD, "    pool: ${{ variables.HEAVY_POOL }}\n", ""),
    "another pool": (VARIABLES, "HEAVY_POOL: gpu", "HEAVY_POOL: cpu"),
    "an agent that moves": (CD, "vmImage: ubuntu-24.04", "vmImage: ubuntu-latest"),
    "an input has no effect": ("azure_pipelines/provision.yml", "value: ${{ parameters.environment }}", "value: stage"),
}

ROOT, CI, CD, PROVISION = ".gitlab-ci.yml", *(f".gitlab/flows/{name}.yml" for name in ("ci", "cd", "provision"))
GITLAB = {
    "a gate is dropped": (
        CD,
        "extends: [.cd-gate, .cloud]\n  stage: deploy-prod",
        "extends: [.cd, .cloud]\n  stage: deploy-prod",
    ),
    "a gate lets pass": (CD, "      allow_failure: false", "      allow_failure: true"),
    "a gate that nobody waits for": (CD, "      allow_failure: false\n", ""),
    "a gate opens by itself": (CD, "when: manual", "when: on_success"),
    "the wrong environment": (CD, "environment: prod", "environment: stage"),
    "no environment": (CD, "  environment: prod\n", ""),
    "a failure is swallowed": (CD, "- uv run poe verify --env prod", "- uv run poe verify --env prod || true"),
    "a failed job does not count": (CD, "  stage: train\n", "  stage: train\n  allow_failure: true\n"),
    "what a job made is not kept": (CD, "  artifacts:\n    paths: [build/judge]\n", ""),
    "something else is kept": (CD, "paths: [build/package]", "paths: [build/train]"),
    "what another job made is not taken": (
        CD,
        "needs: [release, package]",
        "needs: [{job: release, artifacts: false}, package]",
    ),
    "more is taken than said": (CD, "{job: deploy-stage, artifacts: false}", "deploy-stage"),
    "a need is dropped": (CD, ", {job: deploy-stage, artifacts: false}]", "]"),
    "a need that is not there": (CD, "needs: [train]", "needs: [training]"),
    "it starts at once": (CD, "  needs: [release]\n", "  needs: []\n"),
    "identity is missing": (CD, "extends: [.cd, .cloud]\n  stage: train", "extends: .cd\n  stage: train"),
    "identity where nobody logs in": (CI, "extends: .ci\n  stage: ci", "extends: [.ci, .cloud]\n  stage: ci"),
    "identity for anyone": (ROOT, "aud: sts.amazonaws.com", "aud: example.org"),
    "an image that moves": (ROOT, "uv:<uv>-python3.11-trixie", "uv:latest"),
    "another uv": (ROOT, "uv:<uv>-", "uv:0.1.0-"),
    "an image of one job": (CD, "  stage: train\n", "  stage: train\n  image: python:3\n"),
    "a secret": (CD, "  stage: train\n", "  stage: train\n  variables:\n    ADMIN: $ADMIN_TOKEN\n"),
    "a step that is no task": (CI, "- uv run poe lint", "- ruff check"),
    "a step before the first": (CI, "  script:\n", "  before_script: [curl example.org]\n  script:\n"),
    "another task": (CD, "- uv run poe deploy --env prod", "- uv run poe deploy --env stage"),
    "the check of the approval is dropped": (CD, "    - uv run poe gate-check prod\n", ""),
    "the paths are dropped": (ROOT, "      changes: [data/**/*, src/**/*, dvc.yaml, params.yaml]\n", ""),
    "a path is dropped": (ROOT, ", params.yaml]", "]"),
    "another branch": (ROOT, " && $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH\n      changes", "\n      changes"),
    "a merge request releases": (
        ROOT,
        '"merge_request_event"\n      variables:\n        FLOW: ci',
        '"merge_request_event"\n      variables:\n        FLOW: ci cd',
    ),
    "a schedule without a flow releases": (ROOT, "    value: ci\n", "    value: cd\n"),
    "a fork gets the token": (CI, " && $CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID", ""),
    "no limit of time": (CD, "  timeout: 240 minutes\n", ""),
    "a release is cancelled": (CD, "  resource_group: cd\n", "  resource_group: cd\n  interruptible: true\n"),
    "CI is not cancelled": (CI, "  interruptible: true\n", ""),
    "releases side by side": (CD, "  resource_group: cd\n", ""),
    "two releases to prod": (CD, "  resource_group: prod\n", ""),
    "half of the history": (CI, '    GIT_DEPTH: "0"\n', '    GIT_DEPTH: "1"\n'),
    "a stale lock is no error": (ROOT, '  UV_LOCKED: "1"\n', ""),
    "heavy work runs anywhere": (CD, "  tags: [gpu]\n", ""),
    "a flow is not included": (ROOT, "  - local: /.gitlab/flows/monitor.yml\n", ""),
    "one job under two names": (PROVISION, "provision-plan:\n", "train:\n"),
    "an input has no effect": (PROVISION, "OPERATION_ENVIRONMENT: $ENVIRONMENT", "OPERATION_ENVIRONMENT: stage"),
    "a job of another flow": (PROVISION, 'if: $FLOW == "provision"', 'if: $FLOW == "monitor"'),
}

FILE = "bitbucket-pipelines.yml"
BITBUCKET = {
    "a gate is dropped": ("        trigger: manual\n        deployment: prod\n", "        deployment: prod\n"),
    "a gate before all else": ("        name: Train\n", "        name: Train\n        trigger: manual\n"),
    "no environment": ("        deployment: prod\n", ""),
    "the wrong environment": ("deployment: prod", "deployment: stage"),
    "a failure is swallowed": ("- uv run poe verify --env prod", "- uv run poe verify --env prod || true"),
    "a failed step does not count": (
        "        name: Train\n",
        "        name: Train\n        on-fail: {strategy: ignore}\n",
    ),
    "what a job made is not kept": (
        "          upload:\n            - name: judge\n              paths: [build/judge/**]\n",
        "",
    ),
    "something else is kept": ("paths: [build/package/**]", "paths: [build/train/**]"),
    "what another job made is not taken": ("download: [release, package]", "download: [release]"),
    "all is taken": ("          download: [release, package]\n", ""),
    "another order": (
        "      - step: *train\n      - step: *judge\n",
        "      - step: *judge\n      - step: *train\n",
    ),
    "a step of a push is missing": ("      - step:\n          <<: *judge\n          condition: *cd-paths\n", ""),
    "steps side by side": (
        "      - step: *ci\n      - step: *report\n",
        "      - parallel:\n          - step: *ci\n          - step: *report\n",
    ),
    "identity is missing": ("        oidc: true\n", ""),
    "identity where nobody logs in": ("        name: CI\n", "        name: CI\n        oidc: true\n"),
    "an image that moves": ("uv:<uv>-python3.11-trixie", "uv:latest"),
    "an image of one step": ("        name: Train\n", "        name: Train\n        image: python:3\n"),
    "a step that is no task": ("- uv run poe lint", "- ruff check"),
    "a pipe": ("- uv run poe lint", "- pipe: atlassian/aws-s3-deploy:1.0.0"),
    "a step after the last": ("        name: CI\n", "        name: CI\n        after-script: [curl example.org]\n"),
    "another task": ("- uv run poe deploy --env prod", "- uv run poe deploy --env stage"),
    "the check of the approval is dropped": ("          - uv run poe gate-check prod\n", ""),
    "the paths of a step are dropped": (
        "          <<: *deploy-prod\n          condition: *cd-paths\n",
        "          <<: *deploy-prod\n",
    ),
    "a path is dropped": ("                - params.yaml\n", ""),
    "a pull request releases": ("      - step: *report\n", "      - step: *report\n      - step: *train\n"),
    "another branch": ("    main:\n", "    '**':\n"),
    "every push": ("  custom:\n", "  default:\n    - step: *train\n  custom:\n"),
    "a comment on a push": ("    main:\n      - step: *ci\n", "    main:\n      - step: *ci\n      - step: *report\n"),
    "no limit of time": ("        max-time: 240\n", ""),
    "releases side by side": ("        concurrency-group: cd\n", ""),
    "half of the history": ("        clone:\n          depth: full\n", ""),
    "heavy work runs anywhere": ("        runs-on: [self.hosted, linux, gpu]\n", ""),
    "the cache of DVC is dropped": ("caches: [uv, dvc]", "caches: [uv]"),
    "a flow that cannot be started": (
        "    cd:\n      - step: *train\n      - step: *judge\n      - step: *release\n      - step: *package\n      - step: *deploy-stage\n      - step: *deploy-prod\n",
        "",
    ),
    "an input allows more": ("allowed-values: [dev, stage, prod]", "allowed-values: [dev, stage, prod, all]"),
    "an input has no effect": ("name: OPERATION_ENVIRONMENT", "name: ENVIRONMENT"),
    "a step that nobody runs": (
        "  steps:\n",
        "  steps:\n    - step: &extra\n        name: Extra\n        script: [curl example.org]\n",
    ),
}

FILE_OF_FORGEJO = ".forgejo/workflows/ci.yml"
FORGEJO = {
    "a failure is swallowed": ("run: uv run poe lint", "run: uv run poe lint || true"),
    "a failed step does not count": (
        "run: uv run poe test\n",
        "run: uv run poe test\n        continue-on-error: true\n",
    ),
    "a failed job does not count": ("    runs-on: docker\n", "    runs-on: docker\n    continue-on-error: true\n"),
    "a step that is no task": ("run: uv run poe lint", "run: ruff check"),
    "another task": ("run: uv run poe check-data", "run: uv run poe lint"),
    "a step is dropped": ("      - name: Unit tests\n        run: uv run poe test\n", ""),
    "a step is added": (
        "      - name: Unit tests\n",
        "      - name: Deploy\n        run: uv run poe deploy --env prod\n      - name: Unit tests\n",
    ),
    "a job is added": ("jobs:\n", "jobs:\n  extra:\n    runs-on: docker\n    steps:\n      - run: uv run poe lint\n"),
    "an action by its tag": ("checkout@<checkout>", "checkout@v7"),
    "an action of whatever instance": ("uses: https://github.com/actions/checkout", "uses: actions/checkout"),
    "an action from elsewhere": ("https://github.com/astral-sh/", "https://example.org/astral-sh/"),
    "another commit of an action": ("<setup-uv>", "0" * 40),
    "the checkout keeps its credentials": ("persist-credentials: false", "persist-credentials: true"),
    "a secret": ('      UV_LOCKED: "1"\n', '      UV_LOCKED: "1"\n      ADMIN: ${{ secrets.ADMIN }}\n'),
    "the token": ('      UV_LOCKED: "1"\n', '      UV_LOCKED: "1"\n      HOST_TOKEN: ${{ github.token }}\n'),
    "a stale lock is no error": ('UV_LOCKED: "1"', 'UV_LOCKED: "0"'),
    "no limit of time": ("    timeout-minutes: 20\n", ""),
    "CI is not cancelled": ("cancel-in-progress: true", "cancel-in-progress: false"),
    "another branch": ("branches: [main]", "branches: ['**']"),
    "a push is not tested": ("  push:\n    branches: [main]\n", ""),
    "a pull request is not tested": ("  pull_request:\n", ""),
    "a pull request of a fork runs with rights": ("  pull_request:", "  pull_request_target:"),
    "a schedule": ("on:\n", "on:\n  schedule:\n    - cron: 1 1 * * *\n"),
    "another uv": ("version: <uv>", "version: latest"),
    "an environment that is ignored": ("    runs-on: docker\n", "    runs-on: docker\n    environment: prod\n"),
    "another runner": ("runs-on: docker", "runs-on: host"),
    "a wider right": ("contents: read", "contents: write"),
    "a container of its own": ("    runs-on: docker\n", "    runs-on: docker\n    container: python:3\n"),
}

FAULTS = {
    "github": GITHUB,
    "azure_devops": AZURE,
    "gitlab": GITLAB,
    "bitbucket": {name: (FILE, *change) for name, change in BITBUCKET.items()},
    "forgejo": {name: (FILE_OF_FORGEJO, *change) for name, change in FORGEJO.items()},
}
CASES = [(host, name) for host, them in FAULTS.items() for name in them]


def host_files(project: Path, host: str, target: Path) -> Path:
    """A copy of what belongs to the host, and of nothing else."""
    for name in matches(registry("hosts")[host]["paths"]).match_files(files(project)):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(project / name, target / name)
    return target


@pytest.mark.parametrize(("host", "name"), CASES, ids=[f"{host}: {name}" for host, name in CASES])
def test_a_planted_fault_is_seen(render, tmp_path, host, name):
    path, old, new = FAULTS[host][name]
    copy = host_files(render(git_host=host, **ANSWERS), host, tmp_path)
    text = (copy / path).read_text(encoding="utf-8")
    for mark, pin in PINS.items():
        old, new = old.replace(mark, pin), new.replace(mark, pin)
    assert old in text, "the fault was not planted"
    (copy / path).write_text(text.replace(old, new, 1), encoding="utf-8")
    assert faults(host, copy, 4, "aws", "gpu")


@pytest.mark.parametrize("host", FAULTS)
def test_without_a_fault_nothing_is_seen(render, tmp_path, host):
    assert not faults(host, host_files(render(git_host=host, **ANSWERS), host, tmp_path), 4, "aws", "gpu")
    assert len(FAULTS[host]) >= 20
