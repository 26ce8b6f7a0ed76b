"""The checks, in a module for each page of docs/reference/lint."""
