"""The pipeline of dvc.yaml, and the engines that run it."""
