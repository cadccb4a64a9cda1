look() { alive "$1" "$2" "$3" "$5"; conf=$2/$4 count=0
seen conf "$conf"; seen owner "$data"
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
if test -e "$data/promote" || test -e "$data/fallback_promote"; then echo "$n promote asked"; fi; }
gather() { if test -n "$files"; then said=$(stat -L -c '%U:%a' $files 2>/dev/null); status=$?
set -- $tags
if test $status = 0; then for line in $said; do echo "$1 $line"; echo "$1.status 0"; shift; done
else for file in $files; do n=${1%% *}; try "${1#* }" stat -L -c '%U:%a' "$file"; shift; done; fi; fi; }
room() { if test -n "$dirs"; then said=$(df -P -k $dirs 2>/dev/null); status=$?
set -- head $numbers
if test $status = 0; then for line in $said; do test "$1" = head || { echo "$1 disk $line"; echo "$1 disk.status 0"; }; shift; done
else shift; for dir in $dirs; do n=$1; try disk df -P -k "$dir"; shift; done; fi; fi; }
