"""Athena's SQL in DuckDB's dialect."""

import sqlglot


def for_duckdb(sql: str) -> str:
    """Return a query for Athena as DuckDB reads it."""
    # DuckDB's reduce takes no final function; ours is the identity, so nothing is lost.
    ignore = sqlglot.ErrorLevel.IGNORE
    return sqlglot.transpile(sql, read="trino", write="duckdb", unsupported_level=ignore)[0]
