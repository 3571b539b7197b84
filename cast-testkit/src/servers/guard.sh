# Outlives the test, to clean up after it: `sh guard.sh SIGNAL FOLDER`.
#
# Each line of input is the process id of the server in the folder, or empty while there is none.
# The input ends when the test lets go of the server, and also when the test's process dies, however
# it does: then the server is ended, by the signal that lets it clean up, and the folder removed.
trap '' HUP INT TERM

signal=$1 folder=$2 server=
while IFS= read -r line; do
  server=$line
done

if [ -n "$server" ]; then
  kill -s "$signal" "$server"
  kill -s CONT "$server" # a frozen one would not hear the signal
  tries=0
  while kill -s 0 "$server" && [ "$tries" -lt 150 ]; do
    sleep 0.02
    tries=$((tries + 1))
  done
  ! kill -s 0 "$server" || kill -s KILL "$server"
fi

# A PostgreSQL that was killed leaves its interlock behind: shared memory, whose id ends this line.
for lock in "$folder"/*/postmaster.pid; do
  memory=$(sed -n '7s/.* //p' "$lock")
  [ -z "$memory" ] || ipcrm -m "$memory"
done
rm -rf -- "$folder"
