"""The tasks of projects that are generated from copier-mlops; `mlops --help` lists them."""
