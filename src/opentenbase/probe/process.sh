set -f; IFS='
'
files= tags= dirs= numbers=
try() { key=$1; shift; said=$("$@" 2>&1); status=$?
for line in $said; do printf '%s\n' "$n $key $line"; done; echo "$n $key.status $status"; }
idle() { test -x "$1" && test -e "$1/PG_VERSION" && ! test -e "$1/postmaster.pid" && ! test -L "$1/postmaster.pid" || return
echo "$n run no server running: no postmaster.pid"; echo "$n run.status 3"; }
seen() { if test -e "$2"; then files=$files$2$IFS tags="$tags$n $1$IFS"
elif test -x "$data" && ! test -L "$2"; then echo "$n $1 No such file or directory"; echo "$n $1.status 1"
else try "$1" stat -L -c '%U:%a' "$2"; fi; }
alive() { n=$1; data=$2; pidfile=$4; pid= home= began=
seen mark "$data/$3"
{ read -r pid; read -r home; read -r began; } 2>/dev/null <"$data/$pidfile"
if test -n "$pid"; then printf '%s\n' "$n pid $pid" "$n pid $home" "$n pid $began" "$n pid.status 0"
elif test -x "$data" && ! test -e "$data/$pidfile"; then echo "$n pid.status 1"; fi
pid=${pid%%[!0-9]*}
if test -n "$pid" && test -r /proc/self/stat; then
proc=gone; read -r proc 2>/dev/null <"/proc/$pid/stat"; proc=${proc##*) }; echo "$n proc ${proc%% *}"
if test -e "$data/." && test -e "/proc/$pid/cwd/."; then test "$data" -ef "/proc/$pid/cwd"
case $? in 0) echo "$n cwd same";; 1) echo "$n cwd other";; esac; fi
fi; }
