# Commands for developers; `just` lists them.

default:
    @just --list

# the main job: shards, tokenizer, checks, report
run *arguments:
    uv run snakemake --cores all {{ arguments }}

# all tests
test *arguments:
    uv run --group dev pytest {{ arguments }}

# the tests that take minutes or hours, and what they print: seeds, what was killed
nightly *arguments:
    uv run --group dev pytest -m nightly -rP {{ arguments }}

# kill random processes of the workflow and compare what it makes; --seed replays
kill *arguments:
    PYTHONPATH=tests:scripts uv run --group dev python -m faults.killing {{ arguments }}

# fuzz each part of the crate for so many seconds; needs a nightly toolchain and cargo-fuzz
fuzz seconds="60":
    for target in pretokenizer trainer encoder counts merges shard; do \
        cargo +nightly fuzz run --fuzz-dir rustbpe/fuzz $target -- \
            -max_total_time={{ seconds }} -max_len=2048 -rss_limit_mb=2048 -timeout=20 || exit 1; \
    done

# the most memory of each rule on 1, 2, 4 and 8 shards of 100 MB; minutes
memory:
    uv run python benchmarks/corpus.py results/benchmarks/mixed_400.parquet --megabytes 400
    uv run python benchmarks/memory.py results/benchmarks/mixed_400.parquet --counts

# known holes and licences of what we build on
audit:
    .ci/audit

# what CI looks at before the tests
lint: && test-rust
    uv run --group dev ruff check
    uv run --group dev ruff format --check
    uv run --group dev snakefmt --check Snakefile rules
    uv run --group dev snakemake --lint
    uv run --group dev mypy scripts
    uv run --group dev python -m mypy.stubtest rustbpe --allowlist tests/rust/stubtest_allowed.txt
    cargo fmt --manifest-path rustbpe/Cargo.toml --all --check
    cargo clippy --manifest-path rustbpe/Cargo.toml --workspace --all-targets --locked -- -D warnings

# the crate's tests, with the checks of a debug build; in the release profile, whose libraries are built by then
test-rust:
    cargo test --manifest-path rustbpe/Cargo.toml --package rustbpe-core --release --locked \
        --config 'profile.release.package.rustbpe-core.debug-assertions=true' \
        --config 'profile.release.package.rustbpe-core.overflow-checks=true'

# format everything
format:
    uv run --group dev ruff check --fix
    uv run --group dev ruff format
    uv run --group dev snakefmt Snakefile rules
    cargo fmt --manifest-path rustbpe/Cargo.toml --all

# the JSON schema of the configuration, after a change of its models
schema:
    uv run python scripts/write_schema.py config/schema.json

# the conda environment with the versions of uv.lock
envs:
    uv run python scripts/write_environment.py uv.lock envs/nanosnake.yaml

# wheels for pip, in dist/: the Rust extension for any Python from 3.11 on (abi3), and the library with its command
wheels:
    uv build --wheel --out-dir dist rustbpe
    uv build --wheel --out-dir dist
