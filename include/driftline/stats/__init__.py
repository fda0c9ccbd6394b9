"""Pure numpy: counts or rows in, numbers out; one family of statistics a file."""
