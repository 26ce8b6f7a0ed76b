"""Take a team's own data into a project: its contract, its place in DVC, and the files that name data or problem."""
