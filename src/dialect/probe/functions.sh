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
look() { n=$1; data=$2; mark=$3; conf=$2/$4; pidfile=$5; pid= home= began= count=0
seen mark "$data/$mark"; seen conf "$conf"; seen owner "$data"
if test -f "$conf" && test -r "$conf"; then
while test $count -lt 2000 && { read -r line || test -n "$line"; }; do count=$((count + 1)); printf '%s\n' "$n text $line"; done <"$conf"
echo "$n text.status 0"
elif test -e "$conf"; then try text head -c 65536 "$conf"; fi
if test -d "$data"; then dirs=$dirs$data$IFS numbers=$numbers$n$IFS; fi
set +f; set -- "$data"/pg_wal/????????.history; set -f
for file; do test -r "$file" || continue; name=${file##*/}
while read -r line; do printf '%s\n' "$n history ${name%.history} $line"; done <"$file"; done
set +f; set -- "$data"/pg_wal/[0-9A-F]???????????????????????; set -f; line=
for file; do name=${file##*/}; test "${name%????????????????}" = "$line" && continue
line=${name%????????????????}; printf '%s\n' "$n wal $name"; done; echo "$n wal.status 0"
{ read -r pid; read -r home; read -r began; } 2>/dev/null <"$data/$pidfile"
if test -n "$pid"; then printf '%s\n' "$n pid $pid" "$n pid $home" "$n pid $began" "$n pid.status 0"
elif test -x "$data" && ! test -e "$data/$pidfile"; then echo "$n pid.status 1"; fi
if test -e "$data/promote" || test -e "$data/fallback_promote"; then echo "$n promote asked"; fi
pid=${pid%%[!0-9]*}
if test -n "$pid" && test -r /proc/self/stat; then
proc=gone; read -r proc 2>/dev/null <"/proc/$pid/stat"; proc=${proc##*) }; echo "$n proc ${proc%% *}"
if test -e "$data/." && test -e "/proc/$pid/cwd/."; then test "$data" -ef "/proc/$pid/cwd"
case $? in 0) echo "$n cwd same";; 1) echo "$n cwd other";; esac; fi
fi; }
gather() { if test -n "$files"; then said=$(stat -L -c '%U:%a' $files 2>/dev/null); status=$?
set -- $tags
if test $status = 0; then for line in $said; do echo "$1 $line"; echo "$1.status 0"; shift; done
else for file in $files; do n=${1%% *}; try "${1#* }" stat -L -c '%U:%a' "$file"; shift; done; fi; fi; }
room() { if test -n "$dirs"; then said=$(df -P -k $dirs 2>/dev/null); status=$?
set -- head $numbers
if test $status = 0; then for line in $said; do test "$1" = head || { echo "$1 disk $line"; echo "$1 disk.status 0"; }; shift; done
else shift; for dir in $dirs; do n=$1; try disk df -P -k "$dir"; shift; done; fi; fi; }
