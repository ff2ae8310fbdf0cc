#!/usr/bin/env bash
# Fuzzes the readers of documents, layers on the clipboard, files of a run, IDX files, pictures and messages with libFuzzer,
# guided by coverage. Works with stable Rust: the coverage pass is part of the compiler, only cargo-fuzz's sanitizers would
# need nightly. Needs a C++ compiler.
#   scripts/fuzz.sh                      every target for 60 s
#   scripts/fuzz.sh document 600         one target for 600 s
# Inputs that fail are left in fuzz/artifacts/<target>/; what was learnt stays in fuzz/corpus/<target>/.
set -euo pipefail
cd "$(dirname "$0")/.."

targets=(document layers run idx picture protocol)
[ -z "${1:-}" ] || targets=("$1")
seconds=${2:-60}

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/fuzz"
# The flags that cargo-fuzz gives, without a sanitizer.
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=16 --cfg fuzzing"
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --release --manifest-path fuzz/Cargo.toml --target "$host"

for target in "${targets[@]}"; do
    corpus="fuzz/corpus/$target"
    mkdir -p "$corpus" "fuzz/artifacts/$target"
    if [ "$target" = document ]; then
        cp presets/*.json "$corpus"
    fi
    echo "fuzz: $target for $seconds s"
    STRIATE_FUZZ_SEEDS="$PWD/$corpus" "$CARGO_TARGET_DIR/$host/release/$target" "$corpus" -artifact_prefix="fuzz/artifacts/$target/" \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1
done
