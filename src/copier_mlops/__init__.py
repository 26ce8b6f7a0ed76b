"""The machinery of projects that are generated from copier-mlops: `mlops --help` lists its tasks."""
