#!/bin/sh
# process.sh FILE --threshold T: how many values of the file's second column are at least T.
count=$(awk -F, -v least="$3" 'NR > 1 && $2 >= least' "$1" | wc -l)
echo "$1: $count values from $3 on"
