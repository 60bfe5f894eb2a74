"""Training sets: labelled photos in the form that training jobs take."""
