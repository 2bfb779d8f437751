"""Text to value and back: strict JSON, YAML 1.2 core, and their bounds."""
