"""Ladders: curves of models of several depths and seeds, comparisons of two, and claims. Each takes seconds."""

from compare_ladders import CompareLadders
from make_ladder_report import MakeLadderReport
from measure_ladder import MeasureLadder


rule measure_ladder:
    """Put the models of a ladder on a curve, with the spread over seeds."""
    input:
        code=code(MeasureLadder),
        models=ladders.evaluated,
    output:
        layout.LADDER_CURVE,
    log:
        log_of(layout.LADDER_CURVE),
    benchmark:
        benchmark_of(layout.LADDER_CURVE)
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
    params:
        options=ladders.measure,
    shell:
        command(MeasureLadder, "{params.options}", ladder="wildcards.ladder", output="output")


rule compare_ladders:
    """Compare two ladders and judge the claim; the record of its terms is written before the first job of a run."""
    input:
        code=code(CompareLadders),
        curves=ladders.curves,
        evidence=ladders.evidence,
        preregistration=ladders.preregistered,
    output:
        comparison=layout.LADDER_COMPARISON,
        claim=layout.CLAIM,
    log:
        log_of(layout.LADDER_COMPARISON),
    benchmark:
        benchmark_of(layout.LADDER_COMPARISON)
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=memory(2000, per_input_mb=4),
    params:
        options=ladders.compare,
        preregistration=layout.PREREGISTRATION,
    shell:
        command(
            CompareLadders,
            "{params.options}",
            curves="input.curves",
            preregistration="params.preregistration",
            output="output.comparison",
            claim="output.claim",
        )


rule make_ladder_report:
    """Write the page of a ladder."""
    input:
        code=code(MakeLadderReport),
        curves=rules.measure_ladder.output,
    output:
        report(
            layout.LADDER_PAGE,
            caption="../report/ladder.rst",
            category="{dataset}",
            labels={"ladder": "{ladder}"},
        ),
    log:
        log_of(layout.LADDER_PAGE),
    benchmark:
        benchmark_of(layout.LADDER_PAGE)
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
    shell:
        command(
            MakeLadderReport,
            dataset="wildcards.dataset",
            name="wildcards.ladder",
            curves="input.curves",
            output="output",
        )


rule make_claim_report:
    """Write the page of a comparison of two ladders."""
    input:
        code=code(MakeLadderReport),
        curves=ladders.curves,
        comparison=rules.compare_ladders.output.comparison,
        claim=rules.compare_ladders.output.claim,
    output:
        report(
            layout.LADDER_COMPARISON_PAGE,
            caption="../report/claim.rst",
            category="{dataset}",
            labels={"comparison": "{compared}"},
        ),
    log:
        log_of(layout.LADDER_COMPARISON_PAGE),
    benchmark:
        benchmark_of(layout.LADDER_COMPARISON_PAGE)
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
    shell:
        command(
            MakeLadderReport,
            dataset="wildcards.dataset",
            name="wildcards.compared",
            curves="input.curves",
            comparison="input.comparison",
            claim="input.claim",
            output="output",
        )
