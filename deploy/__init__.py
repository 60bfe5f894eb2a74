"""Scripted resource creation: the desired stack as data, a plan to reach it, and its doing."""
