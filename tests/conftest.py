"""Git as on a machine without settings of its own; set before copier is imported, which reads the environment once."""

import os

IDENTITY = {"NAME": "Test", "EMAIL": "test@example.org"}

os.environ |= {f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER") for what, text in IDENTITY.items()}
os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
