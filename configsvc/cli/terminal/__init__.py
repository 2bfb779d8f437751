"""What people see: tables and data, colour, pages, progress."""
