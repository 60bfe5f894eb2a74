"""AWS-like: what makes the local cloud as unkind as a new AWS account (ADR 0017)."""
