"""What a person writes: the monitor's file, its sections and its defaults."""
