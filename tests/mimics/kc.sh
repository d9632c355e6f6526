#!/bin/sh
# kc.sh - what Keycloak's command of that name says of two versions:
#   kc.sh update-compatibility metadata --file=FILE
#   kc.sh update-compatibility check --file=FILE
# It has the version of the directory it is in (.../keycloak-26.6.2/bin/kc.sh).
# Exit statuses are those of the vendor: 0 rolling is possible, 1 something
# went wrong, 2 wrong usage, 3 it is not, 4 the feature is off.
set -u
here=$(dirname "$(realpath -s "$0")")
version=$(basename "$(dirname "$here")" | sed 's/^keycloak-//')
file=
case "${3-}" in
--file=*) file=${3#--file=} ;;
esac
if [ "${1-}" != update-compatibility ] || [ -z "$file" ]; then
    echo "usage: kc.sh update-compatibility metadata|check --file=FILE" >&2
    exit 2
fi
[ -e "$here/../rolling-updates-off" ] && exit 4
case "$2" in
metadata)
    printf '{"keycloak":{"version":"%s"}}\n' "$version" >"$file" || exit 1
    ;;
check)
    old=$(sed -n 's/.*"version":"\([^"]*\)".*/\1/p' "$file") || exit 1
    if [ -z "$old" ]; then
        echo "Unable to read $file" >&2
        exit 1
    fi
    # Patch releases of one minor may roll, upwards.
    if [ "${old%.*}" = "${version%.*}" ] && [ "${old##*.}" -le "${version##*.}" ]; then
        echo "[OK] Rolling Update is available."
        exit 0
    fi
    echo "[FAILED] Rolling Update is not available. 'keycloak.version' is incompatible: Old: $old, New: $version"
    exit 3
    ;;
*)
    exit 2
    ;;
esac
