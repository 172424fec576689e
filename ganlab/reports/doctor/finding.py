"""A statement about a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Finding:
    """A statement about a run, made from its log.

    Attributes:
        condition: the name of the condition, such as "collapse".
        explanation: what is going on, for a newcomer.
        evidence: sentences with the numbers that support the statement.
        remedies: sentences on what usually helps.
        kind: "problem", "advice", or "unknown" for a sentence on what the log cannot show.
    """

    condition: str
    explanation: str
    evidence: list[str] = field(default_factory=list)
    remedies: list[str] = field(default_factory=list)
    kind: Literal["problem", "advice", "unknown"] = "problem"

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as in doctor.json, where `explanation` has the key "words"."""
        return {"words" if k == "explanation" else k: v for k, v in asdict(self).items()}
