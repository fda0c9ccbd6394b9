"""driftline: monitor machine-learning models from the logs in your warehouse."""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Load `compare` when it is first asked for: `import driftline` loads nothing heavy."""
    if name == "compare":
        from driftline.suites.comparison import compare

        return compare
    raise AttributeError(f"module 'driftline' has no attribute {name!r}")
