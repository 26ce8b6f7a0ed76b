"""From raw records to predictions: one module per stage of the pipeline, arguments in, files out."""
