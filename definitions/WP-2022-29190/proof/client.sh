# OpenSSL shakes hands over DTLS ($1 are its options), sends a line, and prints
# what comes back, with what was agreed on.
d=$(mktemp -d)
mkfifo "$d/in"
openssl s_client -dtls1_2 -connect "$HOST:$PORT" -brief -no_ign_eof $1 <"$d/in" 2>"$d/said" | {
  exec 3>"$d/in"
  echo hello >&3
  read -r line
  echo "$line"
}
grep -E '^(Protocol version|Ciphersuite|Signature type|Server Temp Key)' "$d/said"
rm -r "$d"
