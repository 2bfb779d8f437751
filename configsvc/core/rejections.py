"""How much a client may say of a version that it did not adopt: the client cuts, the server refuses."""

MAX_PROBLEMS = 20
MAX_PROBLEM_CHARS = 500
"""Of the pointer and of the message of each."""
MAX_APPLICATION_CHARS = 100
