"""What an operator can measure of a server, as Prometheus reads it."""
