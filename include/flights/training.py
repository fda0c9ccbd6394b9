"""How the model is made, the first time and at every retraining."""

from typing import TYPE_CHECKING

from flights.data import CATEGORICAL, LABEL, NUMERIC

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline


def train(rows: "pd.DataFrame", context: object = None) -> "Pipeline":
    """Return a model of P(a flight arrives late), fitted on labelled rows.

    This signature is all that driftline asks of a training function. `context` tells why and for
    which window it trains; this recipe does not depend on it.
    """
    # Imported here, so that naming this function in a DAG does not cost every parse a second.
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    categories = OneHotEncoder(min_frequency=50, handle_unknown="infrequent_if_exist")
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    model = make_pipeline(
        ColumnTransformer(
            [("categories", categories, list(CATEGORICAL)), ("numbers", numbers, list(NUMERIC))]
        ),
        LogisticRegression(C=0.5, max_iter=1000),
    )
    return model.fit(rows[[*CATEGORICAL, *NUMERIC]], rows[LABEL].astype(int))
