"""Every text and sampled document decodes to itself, byte for byte, in all three libraries."""

from __future__ import annotations

from nanosnake.checks.engines import all_engines, shown
from nanosnake.checks.material import Subject
from nanosnake.checks.spec import Limits, Threshold, declare
from nanosnake.checks.verdict import Failure, Figure, Findings


@declare(
    title="Round trip",
    meaning="every text and sampled document decodes to itself, byte for byte, in rustbpe, tiktoken and tokenizers",
    mode="block",
    good_for="finding text that a split pattern drops or a decoder changes, in the library that will be used",
    not_for="text unlike the evaluation texts and the sampled documents",
    needs=("samples",),
    thresholds={"max_failures": Threshold(0, "most documents that may come back changed", whole=True)},
)
def check(subject: Subject, thresholds: Limits) -> Findings:
    """Encode and decode every document and compare its bytes."""
    engines = all_engines(subject.tokenizer)
    figures: list[Figure] = []
    failures: list[Failure] = []
    changed = total = 0
    for item in subject.items:
        row: Figure = {"text": item.name, "kind": item.kind, "documents": len(item.documents)}
        row["bytes"] = item.bytes
        bad = set()
        for engine in engines:
            wrong = 0
            for index, ids in enumerate(engine.encode(item.texts)):
                document = item.documents[index]
                wanted, found = document.text.encode(), engine.decode(ids)
                if wanted != found:
                    wrong += 1
                    bad.add(index)
                    message = (
                        f"{document.label}: {engine.name} gives back other bytes: {difference(wanted, found)}"
                    )
                    failures.append(Failure(item.name, wrong, message))
            row[f"changed_{engine.name}"] = wrong
        changed += len(bad)
        total += len(item.documents)
        figures.append(row)
    summary = f"{total:,} documents come back as they were, in {', '.join(e.name for e in engines)}"
    if changed:
        summary = f"{changed:,} of {total:,} documents come back changed"
    allowed = thresholds["max_failures"]
    if allowed is None or changed <= allowed:
        failures = []
    return Findings(summary, figures, failures, key={"changed_documents": changed, "documents": total})


def difference(wanted: bytes, found: bytes) -> str:
    """Return where two byte strings diverge, and what follows there."""
    pairs = enumerate(zip(wanted, found, strict=False))
    at = next((at for at, (a, b) in pairs if a != b), min(len(wanted), len(found)))
    return (
        f"{len(found):,} bytes for {len(wanted):,}, the first difference at byte {at:,}: "
        f"wanted {shown(wanted[at : at + 16])}, found {shown(found[at : at + 16])}"
    )
