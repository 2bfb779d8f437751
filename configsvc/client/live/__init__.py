"""Configs that follow the server: one watch for all of a client's, typed values, last good copies on disk."""
