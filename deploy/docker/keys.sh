#!/bin/sh
# keys.sh - make the key file that SLUICE_KEYS names, unless it is there.  Keep a copy elsewhere:
# without it nobody gets the originals back.
set -eu
[ -e "$SLUICE_KEYS" ] || exec sluice keys new "$SLUICE_KEYS"
