# The parts of `.ci/run` by name. It alone says what they are, so that nothing here can differ from it.

# Everything that must hold before a change goes in, in order, with times.
ci:
    .ci/run

# What to run while working: the README's own command.
test:
    cargo test --workspace

# Format, clippy, the features of wal one by one, docs, licences; a minute or two.
checks:
    .ci/run checks

# Puts the sources into shape.
fmt:
    cargo fmt --all
    cargo fmt --manifest-path fuzz/Cargo.toml

# The simulation with so many random seeds.
simulation seeds="6000":
    HEADWATER_SEEDS={{seeds}} .ci/run simulation

# One life of the engine again, by the test that failed and the seed that it printed.
replay test seed:
    HEADWATER_SEED={{seed}} cargo test -p headwater-wal --test it {{test}} -- --nocapture

# Breaks copies of the engine in named ways, and expects the tests to notice.
mutants:
    .ci/run mutants

# The bodies of the fuzz targets on fixed inputs, and, with a nightly compiler, each target for so many seconds.
fuzz seconds="8":
    HEADWATER_FUZZ_SECONDS={{seconds}} .ci/run fuzz

# A newcomer's first minute.
quickstart:
    cargo run --release --example quickstart

# The docs, in a browser.
doc:
    cargo doc --workspace --no-deps --open
