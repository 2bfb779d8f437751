"""Configuration kept in git: the engine and its contract."""
