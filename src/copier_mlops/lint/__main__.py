"""`python -m copier_mlops.lint` is `copier-mlops-lint`."""

from copier_mlops.lint.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
