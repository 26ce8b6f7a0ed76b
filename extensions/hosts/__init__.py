"""The renderers: a module for each git host of hosts.yml, whose `files(answers)` returns a project's files by path."""
