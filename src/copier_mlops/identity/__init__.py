"""Log in to a cloud as a run of the git host; one module per cloud, found by its name in the registry."""
