"""The lint of repositories that were generated from copier-mlops: `mlops lint --help`."""
