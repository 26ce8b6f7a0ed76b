"""Release a model: judge, approve, package, deploy, verify and roll back. Each task has its module."""
