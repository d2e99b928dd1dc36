"""The pytest plugin: fixtures for users' own tests."""
