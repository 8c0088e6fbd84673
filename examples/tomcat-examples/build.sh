#!/bin/sh
# Fetches the sources from Debian (once), then builds the web archive offline with Debian's Maven repository.
set -eu

# The machine's package lists may name a version that the mirror has replaced since: then lists of our own are
# fetched, which needs no root and changes nothing outside this folder.
fetch() {
  apt-get -q download tomcat10-examples >apt.log 2>&1 && return
  mkdir -p lists/partial
  own="-o Dir::State::lists=$PWD/lists -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache="
  # shellcheck disable=SC2086 # several words on purpose
  apt-get -q $own update >>apt.log 2>&1 && apt-get -q $own download tomcat10-examples >>apt.log 2>&1 && return
  cat apt.log >&2
  echo "tomcat10-examples could not be fetched: is a Debian mirror reachable (apt-get update)?" >&2
  return 1
}

if [ ! -d build/debian ]; then
  rm -rf build/partial
  mkdir -p build/partial
  (cd build/partial && fetch)
  dpkg-deb -x build/partial/tomcat10-examples_*.deb build/partial/root
  mv build/partial/root build/debian
  rm -rf build/partial
fi
mvn --offline --quiet --batch-mode -Dmaven.repo.local=/usr/share/maven-repo package
