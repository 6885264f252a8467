#!/bin/sh
# health.sh [PROC] - healthy while a sluice is there and not stopped; PROC in place of /proc.
#
# No more is asked from outside: a worker without progress ends the program (stall_after), and an
# outage of queue or database is waited out, which a restart would not shorten.
for stat in "${1:-/proc}"/[0-9]*/stat; do
    read -r _ name state _ < "$stat" || continue
    case $name:$state in
        '(sluice)':[TtZX]) ;;
        '(sluice)':*) exit 0 ;;
    esac
done 2> /dev/null
echo "no sluice runs here"
exit 1
