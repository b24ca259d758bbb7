"""Validation: documents to look at, one verdict file per check, and one gate before what is expensive."""


rule sample_documents:
    """Draw documents of a split; every check looks at the same ones."""
    input:
        **graph.code("sample_documents.py", "shard"),
        shards=graph.sampled_shards,
    output:
        f"{SAMPLES}/{{split}}.jsonl",
    log:
        text="logs/{dataset}/samples/{split}.log",
        record="logs/{dataset}/samples/{split}.json",
    benchmark:
        "logs/{dataset}/samples/{split}.tsv"
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=1000,
    params:
        folder=SHARDS,
        shards=graph.sampled_names,
        text_column=lookup("datasets/{dataset}/text_column", within=SETTINGS),
        documents=CONFIG.evaluation.sampled_documents,
        seed=CONFIG.evaluation.seed,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --folder {params.folder:q} --shards {params.shards:q}"
        " --split {wildcards.split} --documents {params.documents} --seed {params.seed}"
        " --text-column {params.text_column:q} --output {output:q} |& tee -i {log.text:q}"


rule check_tokenizer:
    """Look at a tokenizer in one respect; a verdict that fails stops nothing yet."""
    input:
        **graph.code("check_tokenizer.py", "pretokenize", "encode"),
        tokenizer=rules.export_tokenizer.output,
        texts=graph.texts(),
        samples=expand(
            f"{SAMPLES}/{{split}}.jsonl",
            split=["train", "validation"],
            allow_missing=True,
        ),
    output:
        report(
            f"{TOKENIZER}/checks/{{check}}.json",
            caption="../report/verdict.rst",
            category="{dataset}",
            subcategory="{tokenizer}",
            labels={"check": "{check}"},
        ),
    log:
        text="logs/{dataset}/{tokenizer}/checks/{check}.log",
        record="logs/{dataset}/{tokenizer}/checks/{check}.json",
    benchmark:
        "logs/{dataset}/{tokenizer}/checks/{check}.tsv"
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
    params:
        mode=graph.check_mode,
        thresholds=graph.check_thresholds,
        folder=folder_of("tokenizer"),
        texts=folder_of("texts"),
        baselines=BASELINES,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --check {wildcards.check} --mode {params.mode}"
        " --thresholds {params.thresholds:q} --tokenizer {params.folder:q} --texts {params.texts:q}"
        " --samples {input.samples:q} --baseline-cache {params.baselines:q} --output {output:q} |& tee -i {log.text:q}"


rule decide_gate:
    """Open the gate to what is expensive, unless a check that blocks has failed."""
    input:
        **graph.code("decide_gate.py"),
        tokenizer=rules.export_tokenizer.output,
        verdicts=expand(rules.check_tokenizer.output, check=graph.checks(), allow_missing=True),
    output:
        f"{TOKENIZER}/gate.json",
    log:
        text="logs/{dataset}/{tokenizer}/gate.log",
        record="logs/{dataset}/{tokenizer}/gate.json",
    benchmark:
        "logs/{dataset}/{tokenizer}/gate.tsv"
    conda:
        "../envs/nanosnake.yaml"
    params:
        folder=folder_of("tokenizer"),
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --tokenizer {params.folder:q} --verdicts {input.verdicts:q}"
        " --output {output:q} |& tee -i {log.text:q}"


rule record_figures:
    """Collect the figures of this state, and add them to the history, which no run deletes."""
    input:
        **graph.code("record_figures.py"),
        tokenizer=rules.export_tokenizer.output,
        verdicts=expand(rules.check_tokenizer.output, check=graph.checks(), allow_missing=True),
    output:
        f"{TOKENIZER}/figures.json",
    log:
        text="logs/{dataset}/{tokenizer}/figures.log",
        record="logs/{dataset}/{tokenizer}/figures.json",
    benchmark:
        "logs/{dataset}/{tokenizer}/figures.tsv"
    conda:
        "../envs/nanosnake.yaml"
    params:
        folder=folder_of("tokenizer"),
        history=HISTORY,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --dataset {wildcards.dataset:q} --tokenizer {params.folder:q}"
        " --verdicts {input.verdicts:q} --history {params.history:q} --output {output:q} |& tee -i {log.text:q}"
