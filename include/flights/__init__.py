"""The demo: a model that predicts, two hours before departure, which flights will arrive late."""
