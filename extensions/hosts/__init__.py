"""The renderers of CI files: each git host of hosts.yml has a module whose `files(answers)` returns files by path."""
