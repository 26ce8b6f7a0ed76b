"""The maturity level of a repository, by evidence. The criteria are data, in maturity.yml."""
