"""Tell a CI machine from a machine at which a person sits."""

import os

# Variables that CI machines set, and that are not set at a keyboard.
MACHINES = ("CI", "TF_BUILD", "GITHUB_ACTIONS", "GITLAB_CI", "BITBUCKET_BUILD_NUMBER", "JENKINS_URL")


def ci_variable() -> str:
    """Return the variable that says that this is a CI machine, or an empty text."""
    return next((name for name in MACHINES if os.environ.get(name)), "")
