"""Run `mlops TASK` as `python -m copier_mlops TASK`, for machines whose PATH lacks the command."""

from copier_mlops.cli import main

raise SystemExit(main())
