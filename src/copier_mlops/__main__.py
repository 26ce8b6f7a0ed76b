"""`python -m copier_mlops TASK` is `mlops TASK`, for a machine whose PATH lacks the command."""

from copier_mlops.cli import main

raise SystemExit(main())
