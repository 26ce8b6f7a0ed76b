"""Turn cells of a notebook into a module of the team's package and a stage of dvc.yaml."""
