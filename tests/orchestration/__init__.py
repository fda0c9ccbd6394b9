"""Tests of the DAGs, without a scheduler."""
