"""The words and numbers that several rooms use, each said once.

A vocabulary is a Literal, whose words `typing.get_args` gives in order. The numbers are the paper's
(arXiv 2510.23160).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

ContentClass: TypeAlias = Literal["math", "code", "table"]
"""What a row is where it is not ordinary text."""
RatingScale: TypeAlias = Literal["0-5", "1-10"]
Rubric: TypeAlias = Literal["levels", "ds2"]
"""What the model is asked to rate by: described levels, or a bare scale as DS2 has it (Fig. 5)."""
CorrectionMethod: TypeAlias = Literal["auto", "neighbours", "crossfit", "audited", "hoc", "raw"]
PairKind: TypeAlias = Literal["intra", "inter"]
"""Within a cluster or between two (Section 3.2)."""
Fold: TypeAlias = Literal["left", "tree"]
"""How a cluster is merged into one corpus."""
Tie: TypeAlias = Literal["terms", "paper"]
"""Of attempts of equal loss: the one that misses the fewest terms, then the draw; or the draw at once."""

Relationship: TypeAlias = Literal["same-domain", "related-domain", "unrelated-domain"]
"""How the domains of a pair relate (Fig. 9)."""
Cycle: TypeAlias = Literal[1, 2]
"""Of a variant: 1 merges, 2 turns to the last answer (Algorithm 2)."""
Condition: TypeAlias = Literal["terms", "question", "context", "answer", "direct_answer", "nothing_to_remove"]
"""What a variant has to meet; those unmet are its symbolic loss (Section 3.3)."""

ReplyMode: TypeAlias = Literal["json_schema", "json_schema_unbounded", "json_object", "plain"]
"""How a server is asked for JSON, the strictest first; the second has no bounds on numbers and lengths."""
KeepCheckpoints: TypeAlias = Literal["all", "last", "none"]
"""What stays of a fusion's checkpoints: every superstep, the end or nothing."""
ExportForm: TypeAlias = Literal["messages", "text", "markers", "alpaca", "sharegpt"]

VARIANTS = 3
"""Variants of a fusion, one a strategy (Fig. 10 and 12)."""
BUDGET = 3
"""Most attempts of a cycle, the first included."""
TEMPERATURE = 0.2
"""Of every operator but domain analysis (Section 4.1)."""
DOMAIN_TEMPERATURE = 0.4
"""Of domain analysis, so that terms and bridges are found freely (Section 4.1)."""

Quality: TypeAlias = Literal["LQ", "HQ"]
"""Low or high, by the corrected score (Section 3.1)."""
MemberKind: TypeAlias = Literal["HQ", "LQ", "intra", "inter"]
"""What a row of a data set is: of the pool by quality, or fused of a pair."""
FusionAblation: TypeAlias = Literal["none", "spo", "strategies", "checks", "cycle1", "cycle2"]
"""The part of a fusion that is switched off, for a comparison; one at a time."""
Ablation: TypeAlias = Literal[FusionAblation, "progressive"]
"""Likewise of a run: `progressive` is about its plan of pairs."""
Profile: TypeAlias = Literal["full", "compact"]
"""The prompts: whole, or short for small models."""
ReplyModeChoice: TypeAlias = Literal["auto", "json_schema", "json_schema_unbounded", "json_object", "plain"]
