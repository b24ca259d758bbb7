"""Bits per byte and tasks."""
