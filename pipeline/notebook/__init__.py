"""A finished run in a notebook: its results as dataframes, its figures as in the report."""
