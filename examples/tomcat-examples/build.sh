#!/bin/sh
# Fetches the sources from Debian (once), then builds the web archive offline with Debian's Maven repository.
set -eu
if [ ! -d build/debian ]; then
  rm -rf build/partial
  mkdir -p build/partial
  (cd build/partial && apt-get -q download tomcat10-examples >&2)
  dpkg-deb -x build/partial/tomcat10-examples_*.deb build/partial/root
  mv build/partial/root build/debian
  rm -rf build/partial
fi
mvn --offline --quiet --batch-mode -Dmaven.repo.local=/usr/share/maven-repo package
