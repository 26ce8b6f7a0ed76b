"""The lint of repositories that were generated from copier-mlops: `copier-mlops-lint --help`."""
