"""Presets of our own."""
