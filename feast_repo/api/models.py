"""What the API takes and gives, as /openapi.json describes it: Feast's JSON, with limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from feast_repo.definitions import VIEWS

MAX_ENTITIES: Final = 1_000
MAX_FEATURES: Final = 100
MAX_BODY: Final = 1024 * 1024
MAX_PAIRS: Final = 10_000

Symbol = Annotated[str, StringConstraints(min_length=1, max_length=100)]
TenantId = Annotated[int, Field(ge=1, le=2**31 - 1)]
Reference = Annotated[str, StringConstraints(pattern=r"^[^:]+:[^:]+$", max_length=200)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def example(views: Mapping[str, Sequence[str]]) -> list[str]:
    """A selection of features: the first of each feature view that no view before has so named."""
    found: dict[str, str] = {}
    for view, fields in views.items():
        name = next((name for name in fields if name not in found), None)
        if name is not None:
            found[name] = f"{view}:{name}"
    return list(found.values())


class Entities(BaseModel):
    """The series asked for, one list per key; all of one length."""

    model_config = ConfigDict(extra="forbid", strict=True)

    symbol: Annotated[list[Symbol], Field(min_length=1, max_length=MAX_ENTITIES, fail_fast=True)]
    tenant_id: Annotated[
        Annotated[
            list[TenantId | None], Field(min_length=1, max_length=MAX_ENTITIES, fail_fast=True)
        ]
        | None,
        Field(
            description="Whose series each is; absent or null: the tenant that has the symbol, of "
            "those that you may see. Needed where several have it."
        ),
    ] = None

    @model_validator(mode="after")
    def _of_one_length(self) -> Self:
        if self.tenant_id is not None and len(self.tenant_id) != len(self.symbol):
            raise ValueError("give as many tenant_id as symbol, or none")
        return self


class FeaturesRequest(BaseModel):
    """Either features or feature_service, for a list of series."""

    model_config = ConfigDict(extra="forbid", strict=True)

    entities: Entities
    features: Annotated[
        Annotated[list[Reference], Field(min_length=1, max_length=MAX_FEATURES, fail_fast=True)]
        | None,
        Field(description='Each as "view:feature".', examples=[example(VIEWS)]),
    ] = None
    feature_service: Annotated[Name | None, Field(examples=["market_v1"])] = None
    full_feature_names: Annotated[
        bool, Field(description='Whether names in the answer are "view__feature".')
    ] = False
    include_feature_view_version_metadata: bool = False

    @model_validator(mode="after")
    def _one_selection(self) -> Self:
        if (self.features is None) == (self.feature_service is None):
            raise ValueError("give either features or feature_service")
        return self


class Vector(BaseModel):
    """One column of the answer; its elements are in the order of the entities."""

    values: list[float | str | None]
    statuses: list[Literal["INVALID", "PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"]]
    event_timestamps: list[str] = Field(
        description="Moment for which the snapshot of the feature's set gives the same, RFC 3339."
    )


class ViewMetadata(BaseModel):
    """A feature view and its version."""

    name: str
    version: int = 0


class Metadata(BaseModel):
    """Names of the columns: symbol and tenant_id, then the features."""

    feature_names: list[str]
    feature_view_metadata: list[ViewMetadata] = []


Moments = Annotated[list[AwareDatetime], Field(max_length=MAX_PAIRS, fail_fast=True)]


class Receipt(BaseModel):
    """A receipt, and the question that it answers: what POST /verify takes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    receipt: Annotated[
        str, StringConstraints(max_length=1_000), Field(description="Of api.receipt(), or of here.")
    ]
    symbols: Annotated[list[Symbol], Field(max_length=MAX_PAIRS, fail_fast=True)]
    as_of: Annotated[Moments, Field(description="The moment of each symbol, RFC 3339.")]
    tenant_id: Annotated[
        TenantId | None, Field(description="Whose series; absent or null: as for a question.")
    ] = None


class Verification(Receipt):
    """Whether a receipt's answer is still given."""

    known_as_of: Annotated[
        Moments | None, Field(description="Where each symbol was asked with one of its own.")
    ] = None
    elsewhere: Annotated[
        bool, Field(description="Whether to ask this database though it is another's receipt.")
    ] = False

    @model_validator(mode="after")
    def _of_one_length(self) -> Self:
        if {len(self.as_of), len(self.known_as_of or self.as_of)} != {len(self.symbols)}:
            raise ValueError("give one as_of, and one known_as_of or none, for each symbol")
        return self


class Verified(BaseModel):
    """What api.verify() says: equal, or what differs and what moved."""

    is_equal: bool
    said: str
    place: Annotated[int | None, Field(description="Of the row that differs, from 1.")]
    symbol: str | None
    as_of: datetime | None
    field: str | None
    moved: str | None


class FeaturesResponse(BaseModel):
    """One column for each name of metadata.feature_names, in that order."""

    metadata: Metadata
    results: list[Vector]
    receipts: Annotated[
        list[Receipt],
        Field(
            description="Where ?receipt=true asked for them: one for each set of features and "
            "tenant. Rows that are not online are in none."
        ),
    ] = []


class State(BaseModel):
    """How the process is."""

    status: str


class Problem(BaseModel):
    """Why there is no answer, and what to do."""

    detail: str


RETRY: Final = {
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}, "required": True}
}
CHALLENGE: Final = {
    "WWW-Authenticate": {"description": "Bearer.", "schema": {"type": "string"}, "required": True}
}
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": Problem, "description": "No key that is in force.", "headers": CHALLENGE},
    403: {"model": Problem, "description": "A tenant_id whose rows you may not see."},
    404: {"model": Problem, "description": "A symbol, feature or service that is not there."},
    408: {"model": Problem, "description": "The body took too long."},
    413: {"model": Problem, "description": f"More than {MAX_BODY} bytes."},
    422: {"model": Problem, "description": "Not a request of this form, ambiguous, or no receipt."},
    429: {"model": Problem, "description": "Too many requests of this key.", "headers": RETRY},
    503: {"model": Problem, "description": "Something does not answer.", "headers": RETRY},
}


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """A request body for OpenAPI, with the model's parts in it."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})

    def inlined(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return inlined(parts[node["$ref"].rsplit("/", 1)[1]])
            return {name: inlined(value) for name, value in node.items()}
        return [inlined(value) for value in node] if isinstance(node, list) else node

    return {"required": True, "content": {"application/json": {"schema": inlined(schema)}}}
