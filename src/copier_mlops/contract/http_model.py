"""Make the models of a request and its answer from the contract: what they are, and what the documentation shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError

from copier_mlops import images
from copier_mlops.contract.contract import Contract, ContractField, identifier
from copier_mlops.contract.values import DAY, MOMENT, REAL, WHOLE, Rules, day, moment, real, whole
from copier_mlops.problems.classes import class_names, positive_name


class Record(BaseModel):
    """One record of a request: its keys are the names of the contract's fields."""

    model_config = ConfigDict(
        extra="forbid", strict=True, hide_input_in_errors=True, frozen=True, protected_namespaces=()
    )


def record_model(contract: Contract) -> type[Record]:
    """Return the model of a record that asks for a prediction.

    It refuses what `verdict.violations` refuses, but for an image whose header is right and whose pixels are damaged.
    An error names the field and does not repeat the value.
    """
    fields: dict[str, Any] = {}
    for field in contract.inputs:
        rules = Rules(contract, field)
        default = ... if rules.is_required else None
        kind = _annotation(rules) if rules.is_required else _annotation(rules) | None
        missing = BeforeValidator(_without_missing(rules))
        info = Field(default, alias=field.name, title=field.title or None, description=_described(field) or None)
        # A prefix: pydantic has methods of its own, for example `copy`.
        fields[f"field_{identifier(field.name)}"] = (Annotated[kind, missing], info)

    def few(body: Any) -> Any:
        # Each unknown field is a problem of its own: a body of 100,000 of them would take the service's time.
        if isinstance(body, dict) and len(body) > len(fields) + 10:
            text = "a record of {found} fields, expected {expected}"
            raise PydanticCustomError("too_many_fields", text, {"found": len(body), "expected": len(fields)})
        return body

    validators: dict[str, Any] = {"few": model_validator(mode="before")(few)}
    return create_model("Record", __base__=Record, __validators__=validators, **fields)


def prediction_model(contract: Contract) -> type[BaseModel]:
    """Return the model of the answer to one record, whose fields are those that the problem's predictor gives."""
    chance = Field(ge=0, le=1, description="of the label")
    fields: dict[str, Any] = {}
    if contract.learning.problem == "regression":
        fields["prediction"] = (float, Field(description=_described(contract.target) or contract.target.name))
    else:
        fields["label"] = (str, Field(description=f"the class of {contract.target.name}"))
        if contract.learning.problem == "binary":
            chance = Field(ge=0, le=1, description=f"probability of {positive_name(contract)}")
        fields["probability"] = (float, chance)
    if contract.learning.problem == "multiclass":
        for number, name in enumerate(class_names(contract)):
            info = Field(None, ge=0, le=1, alias=f"probability_{name}", description=f"probability of {name}")
            fields[f"probability_{number}"] = (float | None, info)
    fields["model_version"] = (str, Field(description="the version of the model in the registry"))
    new = "fields with a value that is in no category of the contract"
    fields["unseen"] = (list[str], Field(description=new))
    config = ConfigDict(protected_namespaces=())
    return create_model("Prediction", __config__=config, __doc__="The answer to one record.", **fields)


def _without_missing(rules: Rules) -> Callable[[Any], Any]:
    return lambda value: None if rules.is_missing(value) else value


def _annotation(rules: Rules) -> Any:
    kind = rules.field.type
    bounds: dict[str, Any] = {"ge": rules.field.constraints.minimum, "le": rules.field.constraints.maximum}
    if kind == "integer":
        # Without bounds, the documentation shows none: those of 64 bits are checked before.
        return Annotated[int, Field(**bounds), _read_by(whole, WHOLE), *_listed(rules)]
    if kind == "number":
        return Annotated[float, Field(**bounds), _read_by(real, REAL), *_listed(rules)]
    if rules.field.is_image:
        return _image(rules)
    if kind == "string":
        text = Field(min_length=rules.shortest, max_length=rules.longest)
        return Annotated[str, text, *_pattern(rules), *_listed(rules)]
    if kind == "boolean":
        return Annotated[bool, Field(), *_listed(rules)]
    if kind == "date":
        form = WithJsonSchema({"type": "string", "format": "date"})
        return Annotated[date, Field(**bounds), _read_by(day, DAY), form]
    form = WithJsonSchema({"type": "string", "format": "date-time"})
    return Annotated[datetime, Field(ge=rules.low, le=rules.high), _read_by(moment, MOMENT), form]


def _image(rules: Rules) -> Any:
    """Return the type of an image, of which only the header is looked at: all requests wait for this."""

    def check(value: str) -> str:
        if not rules.shortest <= len(value) <= rules.longest:
            raise ValueError(f"expected {rules.shortest} to {rules.longest:,} characters")
        if expected := images.fault(value, is_whole=False):
            raise ValueError(f"expected {expected}")
        return value

    return Annotated[str, AfterValidator(check), WithJsonSchema({"type": "string", "contentEncoding": "base64"})]


def _read_by(convert: Callable[[Any], Any], expected: str) -> BeforeValidator:
    """Return the step that reads a value of JSON as the contract does."""

    def step(value: Any) -> Any:
        found = convert(value)
        if found is None:
            raise ValueError(f"expected {expected}")
        return found

    return BeforeValidator(step)


def _listed(rules: Rules) -> list[Any]:
    """Return the check of the allowed values, and how the documentation shows them."""
    if rules.allowed is None:
        return []

    def check(value: Any) -> Any:
        if rules.not_allowed(value):
            raise ValueError(f"expected {rules.not_allowed(value)}")
        return value

    return [AfterValidator(check), Field(json_schema_extra={"enum": list(rules.allowed)})]


def _pattern(rules: Rules) -> list[Any]:
    # Checked by Python, which writes some patterns in another way than pydantic's library.
    pattern = rules.pattern
    if pattern is None:
        return []

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"expected a text that matches {pattern.pattern}")
        return value

    return [AfterValidator(check), Field(json_schema_extra={"pattern": f"^(?:{pattern.pattern})$"})]


def _described(field: ContractField) -> str:
    labels = "; ".join(f"{value}: {label}" for value, label in field.labels.items())
    form = "A PNG or JPEG file, in base64" if field.is_image else ""
    parts = [field.description, form, f"Unit: {field.unit}" if field.unit else "", labels]
    return ". ".join(part.rstrip(".") for part in parts if part)
