"""What people are told: incidents, the message about them, and the channels it goes through."""
