"""The report: one page per tokenizer that opens from disk. It is made whether the gate opens or not."""


rule measure_vocabulary_curve:
    """Measure smaller vocabularies, which are prefixes of the merges, on the validation documents."""
    input:
        **graph.code("measure_vocabulary_curve.py"),
        tokenizer=rules.export_tokenizer.output,
        samples=f"{SAMPLES}/validation.jsonl",
    output:
        f"{TOKENIZER}/curve.json",
    log:
        text="logs/{dataset}/{tokenizer}/curve.log",
        record="logs/{dataset}/{tokenizer}/curve.json",
    benchmark:
        "logs/{dataset}/{tokenizer}/curve.tsv"
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
    params:
        folder=folder_of("tokenizer"),
        baselines=BASELINES,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --tokenizer {params.folder:q} --samples {input.samples:q}"
        " --baseline-cache {params.baselines:q} --output {output:q} |& tee -i {log.text:q}"


rule make_report:
    """Write the page. From existing results this takes seconds and trains nothing."""
    input:
        **graph.code("make_report.py"),
        templates=graph.templates(),
        texts=graph.texts(),
        tokenizer=rules.export_tokenizer.output,
        verdicts=rules.decide_gate.input.verdicts,
        figures=rules.record_figures.output,
        curve=rules.measure_vocabulary_curve.output,
        shards="results/{dataset}/shards.csv",
    output:
        report(
            f"{TOKENIZER}/report/index.html",
            caption="../report/tokenizer.rst",
            category="{dataset}",
            labels={"tokenizer": "{tokenizer}"},
        ),
    log:
        text="logs/{dataset}/{tokenizer}/report.log",
        record="logs/{dataset}/{tokenizer}/report.json",
    benchmark:
        "logs/{dataset}/{tokenizer}/report.tsv"
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
    params:
        folder=folder_of("tokenizer"),
        history=HISTORY,
        benchmarks="logs/{dataset}",
        texts=folder_of("texts"),
        baselines=BASELINES,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --dataset {wildcards.dataset:q} --tokenizer"
        " {params.folder:q} --verdicts {input.verdicts:q} --curve {input.curve:q}"
        " --shards {input.shards:q} --history {params.history:q} --benchmarks {params.benchmarks:q}"
        " --texts {params.texts:q} --baseline-cache {params.baselines:q} --output {output:q} |& tee -i {log.text:q}"


rule make_model_report:
    """Write the page of a model: what it learned, the training run, what it writes."""
    input:
        **graph.code("make_model_report.py"),
        templates=graph.templates(),
        training=rules.train_model.output.summary,
        metrics=rules.train_model.output.metrics,
        evaluation=rules.evaluate_model.output,
    output:
        report(
            f"{MODEL}/report/index.html",
            caption="../report/model.rst",
            category="{dataset}",
            labels={"tokenizer": "{tokenizer}", "model": "{model}"},
        ),
    log:
        text="logs/{dataset}/{tokenizer}/{model}/report.log",
        record="logs/{dataset}/{tokenizer}/{model}/report.json",
    benchmark:
        "logs/{dataset}/{tokenizer}/{model}/report.tsv"
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
    params:
        model=folder_of("evaluation"),
        benchmarks="logs/{dataset}/{tokenizer}/{model}",
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --dataset {wildcards.dataset:q} --tokenizer {wildcards.tokenizer:q}"
        " --model {params.model:q} --benchmarks {params.benchmarks:q} --output {output:q} |& tee -i {log.text:q}"
