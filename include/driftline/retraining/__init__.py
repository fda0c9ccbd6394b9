"""Safe retraining: a transaction from the evidence to the promotion of a better model."""
