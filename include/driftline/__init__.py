"""driftline: monitor machine-learning models from the logs in your warehouse."""

__version__ = "0.1.0"
