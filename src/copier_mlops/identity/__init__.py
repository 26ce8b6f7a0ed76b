"""Log in to a cloud as a run of the git host; a cloud is one module, which has what `interface.Cloud` says."""
