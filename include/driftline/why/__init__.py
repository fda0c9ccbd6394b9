"""Why performance fell: which part is the inputs' and which the relation's, and likely causes."""

from driftline.why.explain import explain
from driftline.why.sides import Context, Hours, Run, Side, Whole

__all__ = ["Context", "Hours", "Run", "Side", "Whole", "explain"]
