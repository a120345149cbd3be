"""Weights as other programs have them: read from their files, and exported to them."""
