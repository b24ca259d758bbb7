"""What a cluster needs to know: which jobs are light, and which are many and small."""


# Run where Snakemake runs. Jobs of one shard are here too: the profile of a cluster puts them in groups, and a
# group goes to the cluster as one job in which these are local, so that a shard costs milliseconds there and not
# a job step with its own Snakemake. A rule that the profile leaves out of its groups stays on this host.
localrules:
    make_demo_shard,
    download_shard,
    link_shard,
    make_shards,
    list_shards,
    count_pretokens,
    tokenize_shard,
    sample_documents,
    cut_merges,
    export_tokenizer,
    hash_tokenizer,
    check_tokenizer,
    decide_gate,
    measure_vocabulary_curve,
    make_report,
    compare_tokenizers,
    make_model_report,
    measure_ladder,
    compare_ladders,
    make_ladder_report,
    make_claim_report,
    record_figures,
    find_overlap,
    check_contamination,
    make_manifest,
    publish_files,
    publish_manifest,
