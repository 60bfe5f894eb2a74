"""The three Lambda functions of the workflow, one package each."""
