"""Which maturity level a repository has, by what is there and works. The criteria are data, in maturity.yml."""
