"""Hostile inputs for whatever reads a file, and what must hold of each."""
