"""What is asked of a window, by which engine: quality, drift, performance."""
