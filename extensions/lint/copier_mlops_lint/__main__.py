"""`python -m copier_mlops_lint` is `copier-mlops-lint`."""

from copier_mlops_lint.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
