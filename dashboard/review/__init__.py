"""Review: photos drawn at random, labelled by people, and what their answers come to."""
