"""Amazon States Language: paths, functions, queries, comparisons and validation, all pure."""
