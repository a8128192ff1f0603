"""Books of a stage: whatever goes in comes out, is rejected, has failed or is pending."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, computed_field


class Books(BaseModel):
    """The count of one stage. `rejected` and `failed` are by reason."""

    model_config = ConfigDict(frozen=True)

    unit: str = "rows"
    inputs: int = 0
    outputs: int = 0
    rejected: dict[str, int] = {}
    failed: dict[str, int] = {}
    pending: int = 0

    @computed_field  # type: ignore[prop-decorator]  # mypy does not know pydantic's decorator on a property
    @property
    def balanced(self) -> bool:
        """Inputs = outputs + rejected + failed + pending."""
        out = self.outputs + sum(self.rejected.values()) + sum(self.failed.values()) + self.pending
        return self.inputs == out
