"""What may become part of the repository, whichever door it comes through."""
