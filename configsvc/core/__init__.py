"""The domain model: names, values and errors.  Standard library only, no I/O."""
