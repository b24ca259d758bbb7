"""Ladders of models, their curves, comparisons of two of them, and claims."""
