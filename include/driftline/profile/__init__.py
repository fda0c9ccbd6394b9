"""What is counted of rows, and adds up: numpy and Arrow, no SQL."""
