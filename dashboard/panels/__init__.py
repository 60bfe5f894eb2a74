"""Panels: the parts of a page that are made of one view model each; pages put them together."""
