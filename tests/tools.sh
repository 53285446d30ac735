#!/bin/sh
# Unpacks what tests run into target/tools, from Debian's archive: the log senders rsyslog, syslog-ng and h2load,
# Prometheus with promtool, and libfaketime.
# Nothing is installed, since a machine can have only one system logger and has one already.
set -eu
cd "$(dirname "$0")/.."
tools=$PWD/target/tools
mkdir -p target
# Each test is a process of its own; one of them fetches, the others wait.
exec 9>"$tools.lock"
flock 9
set -- rsyslog rsyslog-openssl libestr0 libfastjson4 liblognorm5 \
    syslog-ng-core libivykis0 libnet1 libpcre3 libwrap0 \
    nghttp2-client libnghttp2-14 libev4 libjemalloc2 \
    prometheus libfaketime
[ "$(cat "$tools/complete" 2>/dev/null)" = "$*" ] && exit 0

rm -rf "$tools"
mkdir -p "$tools/packages"
cd "$tools/packages"
if ! apt-get -qq download "$@" 2>apt.log; then
    # A new machine has no lists of packages, or old ones.
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    echo "tests: updating the lists of Debian's packages" >&2
    $as_root apt-get update -qq
    apt-get -qq download "$@"
fi
for package in *.deb; do
    dpkg -x "$package" "$tools"
done
cd "$tools"
rm -r packages
echo "$*" >complete
