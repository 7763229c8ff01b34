# What servers written in Java need: a runtime, and JARs that Maven fetches into a folder. Sourced, not run.

# The folder is named by what it was made from, so that a changed pom.xml gets a folder of its own.
jars_of() { # jars_of NAME
    local sum files=("$here/servers.d/$1/pom.xml")
    [ ! -e "$here/servers.d/$1/"*.java ] || files+=("$here/servers.d/$1/"*.java)
    sum=$(cat "${files[@]}" | sha256sum)
    echo "${XDG_CACHE_HOME:-$HOME/.cache}/weir/$1-${sum:0:12}"
}

java_version() {
    java -version 2>&1 | sed -n 's/.* version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1
}

# Says what is missing where that can't be installed.
jars_install() { # jars_install NAME [COMMAND=PACKAGE…]: and what else the server's own script calls
    local jars version need wanted=()
    jars=$(jars_of "$1")
    command -v java >/dev/null || wanted+=(default-jre-headless)
    if [ ! -d "$jars" ]; then
        command -v mvn >/dev/null || wanted+=(maven)
        [ ! -e "$here/servers.d/$1/"*.java ] || command -v javac >/dev/null || wanted+=(default-jdk-headless)
    fi
    for need in "${@:2}"; do command -v "${need%=*}" >/dev/null || wanted+=("${need#*=}"); done
    if [ "${#wanted[@]}" -gt 0 ] && ! install_idle "${wanted[@]}"; then
        echo "apt-get install ${wanted[*]}"
        return 2
    fi
    version=$(java_version)
    if [ "${version:-0}" -lt 17 ]; then
        echo "Java ${version:-of no version} is too old: install Java 17 or newer"
        return 2
    fi
    mkdir -p "${jars%/*}"
    # Two kinds may have the same JARs, and are installed side by side.
    (
        flock 8
        [ -d "$jars" ] || jars_fetch "$here/servers.d/$1" "$jars"
    ) 8>"$jars.lock"
}

jars_fetch() { # jars_fetch HOME FOLDER
    local fresh=$2.$$
    mkdir -p "$fresh"
    if timeout "$PATIENCE_FETCH_S" mvn -q -B -f "$1/pom.xml" \
        org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$fresh" </dev/null >"$fresh/log" 2>&1 &&
        { [ ! -e "$1/"*.java ] || javac -nowarn -cp "$fresh/*" -d "$fresh" "$1/"*.java >>"$fresh/log" 2>&1; }; then
        # In one step, so that no folder of that name is ever half full.
        rm -f "$fresh/log"
        mv -T "$fresh" "$2" 2>/dev/null || rm -rf "$fresh"
    else
        echo "Maven or javac could not make what $1 names: $(sed -n 's/.*\[ERROR\] //p; s/.*error: //p' "$fresh/log" | head -n 1)"
        rm -rf "$fresh"
        return 2
    fi
}
