#!/bin/sh
# phase.sh PHASE TEXT: a line of progress with the time since make was called.
printf '[%6d s] %-6s %s\n' $(($(date +%s) - ${WIREPATCH_STARTED:-$(date +%s)})) "$1" "$2"
