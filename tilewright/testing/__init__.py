"""Strategies and checkers for our tests and for those of users."""
