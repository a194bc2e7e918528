"""Mudra."""
