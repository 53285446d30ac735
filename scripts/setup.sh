#!/usr/bin/env bash
# Installs what a make target needs and this machine lacks, and says what it installs; silent where nothing is missing.
# Debian packages come by apt-get, with sudo where not root; Rust by rustup, into the home folder.
#
# Usage: scripts/setup.sh build|test|fuzz|pictures|instructions|bench
set -euo pipefail
cd "$(dirname "$0")/.."

packages=()

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
have() { type -P "$1" >/dev/null; } # a program, not a shell's own word

# need PROGRAM PACKAGE…: the packages, if there is no such program.
need() {
  have "$1" || [[ " ${packages[*]} " == *" $2 "* ]] || packages+=("${@:2}")
}

# want PROGRAM PACKAGE…: the same for what there can be done without.
wanted=()
want() {
  have "$1" || wanted+=("${@:2}")
}

# The directory of Postgres' server programs is not in Debian's PATH.
have_postgres() { have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

install_wanted() {
  local package
  for package in "${wanted[@]}"; do
    (packages=("$package") && install_packages) || say "$package cannot be installed; what needs it is left out"
  done
}

# DuckDB comes by pip, into a folder of its own.
want_duckdb() {
  local folder=${CARGO_TARGET_DIR:-target}/bench/venv
  "$folder/bin/python" -c 'import duckdb' 2>/dev/null && return
  say "installing duckdb by pip, into $folder"
  { python3 -m venv "$folder" && "$folder/bin/pip" install --quiet --disable-pip-version-check duckdb; } >&2 ||
    say "duckdb cannot be installed; what needs it is left out"
}

install_packages() {
  [ ${#packages[@]} -gt 0 ] || return 0
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    have sudo || die "these Debian packages are missing, and there is no sudo to install them with: ${packages[*]}"
    as_root=(sudo)
  fi
  have apt-get || die "these are missing, and there is no apt-get to install them with: ${packages[*]}"
  say "installing the Debian packages ${packages[*]}"
  local log
  log=$(mktemp)
  { "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -qq --no-install-recommends "${packages[@]}"; } >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
  rm "$log"
}

needed_rust() { sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml; }

rust_is_new_enough() {
  local found
  found=$(rustc --version 2>/dev/null | cut -d' ' -f2) || return 1
  [ "$(printf '%s\n' "$(needed_rust)" "$found" | sort -V | head -n1)" = "$(needed_rust)" ]
}

# rustup's own installer, checked against its published sum.
install_rustup() {
  local triple root folder
  triple="$(uname -m)-unknown-linux-gnu"
  root="${RUSTUP_UPDATE_ROOT:-https://static.rust-lang.org/rustup}/dist/$triple"
  folder=$(mktemp -d)
  say "installing Rust by rustup (about 500 MB in ${RUSTUP_HOME:-$HOME/.rustup} and ${CARGO_HOME:-$HOME/.cargo})"
  curl -fsSL --retry 3 -o "$folder/rustup-init" "$root/rustup-init"
  local sum
  sum=$(curl -fsSL --retry 3 "$root/rustup-init.sha256" | cut -d' ' -f1)
  echo "$sum  $folder/rustup-init" | sha256sum --check --quiet
  chmod +x "$folder/rustup-init"
  "$folder/rustup-init" -y --quiet --no-modify-path --profile minimal --component clippy,rustfmt
  rm -r "$folder"
}

need_rust() {
  if ! have cargo; then
    install_rustup
  elif ! rust_is_new_enough; then
    have rustup || die "$(rustc --version) is too old, Rust $(needed_rust) is needed: remove it, and rustup will be installed"
    say "updating Rust to the newest stable release"
    rustup update --no-self-update stable
    rust_is_new_enough || die "the Rust in use here is still older than $(needed_rust): rustup default stable"
  fi
  if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    say "installing rustfmt and clippy"
    rustup component add rustfmt clippy
  fi
}

need_fuzzing() {
  if ! rustc +nightly --version >/dev/null 2>&1; then
    say "installing nightly Rust, for the fuzzers' instrumentation"
    rustup toolchain install nightly --profile minimal
  fi
  if ! cargo fuzz --version >/dev/null 2>&1; then
    say "installing cargo-fuzz"
    cargo install --locked cargo-fuzz
  fi
}

target=${1:-}
case $target in
  build | test | fuzz | pictures | instructions | bench) ;;
  *) die "usage: scripts/setup.sh build|test|fuzz|pictures|instructions|bench" ;;
esac

need cc build-essential
have cargo || need curl curl ca-certificates
if [ "$target" = test ]; then
  have_postgres || packages+=(postgresql)
  for program in curl openssl python3; do need "$program" "$program"; done
  need kill procps
  need node nodejs
  need npm npm
fi
if [ "$target" = pictures ]; then
  have_postgres || packages+=(postgresql)
  need node nodejs
  need npm npm
  need chromium chromium fonts-dejavu-core
  need curl curl
fi
if [ "$target" = bench ]; then
  need python3 python3
  have_postgres || wanted+=(postgresql)
  for program in gzip zstd goaccess mtail; do want "$program" "$program"; done
  python3 -c 'import ensurepip' 2>/dev/null || wanted+=(python3-venv)
fi
[ "$target" != fuzz ] || need c++ g++
if [ "$target" = instructions ]; then
  need valgrind valgrind
  need python3 python3
fi
install_packages
need_rust
[ "$target" != fuzz ] || need_fuzzing
[ "$target" != bench ] || { install_wanted && want_duckdb; }
