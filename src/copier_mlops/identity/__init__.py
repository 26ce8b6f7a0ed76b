"""Log in to a cloud as a run of the git host; each cloud is a module that implements `interface.Cloud`."""
