#!/bin/sh
# Make a private CA and a server's certificate: deploy/make_certificates.sh DIRECTORY HOST...
# HOST: each name or IP address that clients connect to. Writes ca.crt (for clients), ca.key (keep
# it away from the server), server.crt and server.key. Run again, it renews the last two.
set -eu
if [ $# -lt 2 ]; then
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
fi
directory=$1
shift
umask 077
mkdir -p "$directory"
cd "$directory"

names=
for host in "$@"; do
    case $host in
        *:*) kind=IP ;;
        *[!0-9.]*) kind=DNS ;;
        *) kind=IP ;;
    esac
    names=$names${names:+,}$kind:$host
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

quiet() { # openssl reports progress as errors
    "$@" 2> "$scratch/said" || { cat "$scratch/said" >&2; exit 1; }
}

request() { # FILE SUBJECT; P-256, for SCRAM cannot bind to an Ed25519 certificate
    quiet openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 \
        -keyout "$1.key" -out "$scratch/csr" -subj "/CN=$2"
}

sign() { # FILE DAYS EXTENSIONS OPTION...
    printf '%b\n' "$3" > "$scratch/extensions"
    file=$1 days=$2
    shift 3
    quiet openssl x509 -req -in "$scratch/csr" -sha256 -days "$days" -out "$file.crt" \
        -extfile "$scratch/extensions" -set_serial "0x$(openssl rand -hex 16)" "$@"
    chmod 644 "$file.crt"
}

if [ ! -e ca.key ]; then
    request ca 'private CA'
    sign ca 3650 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign' \
        -signkey ca.key
fi
request server 'PostgreSQL server'
sign server 365 "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
extendedKeyUsage=serverAuth\nsubjectAltName=$names" -CA ca.crt -CAkey ca.key
