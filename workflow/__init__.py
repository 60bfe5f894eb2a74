"""The pure vocabulary of the workflow: records and functions, no AWS client, no page, no clock."""
