"""The model as MLflow logs it: it holds its bundle, and knows where its features are served.

Given rows of its features it scores them; given only tenant_id and symbol it fetches what is online
by its feature service itself. The same values give the same bits in both ways.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

try:
    from training.bundle import Bundle
except ModuleNotFoundError:  # away from this project: the copy that the model holds
    from bundle import Bundle  # type: ignore[import-not-found,no-redef]

KEYS = ["tenant_id", "symbol"]


class Model(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined,misc]
    """A bundle that scores; see the module."""

    def load_context(self, context: Any) -> None:
        """Read the bundle. Errors: ValueError for one that is damaged."""
        self.bundle = Bundle.read(Path(context.artifacts["bundle"]))
        self._store: Any = None

    def predict(
        self,
        context: Any,  # noqa: ARG002 - MLflow's signature
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002 - MLflow's signature
    ) -> pd.DataFrame:
        """A column score. model_input: a column for each feature by its name, or only the keys.

        Errors: ValueError for columns that are missing, values of another type, and keys of which
        nothing is online.
        """
        names = [column.name for column in self.bundle.columns]
        there = [name for name in names if name in model_input.columns]
        if there:
            missing = [name for name in names if name not in there]
            if missing:
                raise ValueError(
                    f"the rows lack {', '.join(missing)}: give all of {', '.join(names)}, or only "
                    f"{' and '.join(KEYS)} to have them fetched"
                )
            rows = model_input[names].itertuples(index=False, name=None)
        elif set(KEYS) <= set(model_input.columns):
            rows = self._online(model_input[KEYS])
        else:
            raise ValueError(
                f"the model takes {', '.join(names)}, or {' and '.join(KEYS)}; it was given "
                f"{', '.join(map(str, model_input.columns)) or 'no columns'}"
            )
        values = [[_none(value) for value in row] for row in rows]
        scores = self.bundle.score(self.bundle.encode(values))
        return pd.DataFrame({"score": scores}, index=model_input.index)

    def _online(self, keys: pd.DataFrame) -> list[list[Any]]:
        """What is online of each key, in the order of the columns."""
        try:
            # here, because whoever gives rows needs nothing of it
            from feast_repo.store import open_store
            from training import service
        except ImportError as error:
            raise ValueError(
                f"fetching features needs this project ({error}): run where it is, in its training "
                f"environment, or give {', '.join(column.name for column in self.bundle.columns)}"
            ) from error
        if self._store is None:
            self._store = open_store()
        asked = [
            {"tenant_id": int(tenant), "symbol": str(symbol)}
            for tenant, symbol in keys.itertuples(index=False, name=None)
        ]
        return service.online(self._store, self.bundle, asked)


def _none(value: Any) -> Any:
    return None if value is None or value != value else value


mlflow.models.set_model(Model())
