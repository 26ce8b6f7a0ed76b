"""The stages of the pipeline, from raw records to predictions: each module takes arguments and writes files."""
