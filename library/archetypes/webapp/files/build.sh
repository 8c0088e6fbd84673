#!/bin/sh
# Builds the archive with Maven; `punch package` calls it. Arguments and $MAVEN_ARGS go to Maven.
set -eu
cd "$(dirname "$0")"

# Where Debian's own Maven repository has all that is needed, nothing is downloaded:
#   apt-get install maven libmaven-war-plugin-java libmaven-compiler-plugin-java libmaven-resources-plugin-java \
#     libsurefire-java libjakarta-servlet-api-java junit4
# Set MAVEN_ARGS, even to nothing, to build from Maven Central (or your mirror) instead.
repository=/usr/share/maven-repo
newest() {
    ls "$repository/org/apache/maven/plugins/maven-$1-plugin" 2>/dev/null | grep '^[0-9]' | sort -V | tail -n 1
}
if [ -z "${MAVEN_ARGS+set}" ] && [ -d "$repository/jakarta/servlet/jakarta.servlet-api/5.0.0" ]; then
    MAVEN_ARGS="--offline -Dmaven.repo.local=$repository"
    for plugin in compiler resources surefire war; do
        version=$(newest $plugin)
        if [ -z "$version" ]; then
            echo "$repository has no maven-$plugin-plugin; building from Maven Central" >&2
            MAVEN_ARGS=
            break
        fi
        MAVEN_ARGS="$MAVEN_ARGS -D$plugin.version=$version"
    done
fi

# Nothing of an earlier build may slip in.
rm -rf target

# The same source makes the same archive: every time inside is that of the source.
# shellcheck disable=SC2086
exec mvn --batch-mode --quiet ${MAVEN_ARGS:-} \
    "-Dproject.build.outputTimestamp=${SOURCE_DATE_EPOCH:-1700000000}" "$@" package
