"""From a judged model to a service: approve, package, deploy, verify, go back. Each task of `mlops` has its module."""
