#!/bin/sh
# A worker that knows nothing of configsvc: it reads variables, and is started again when they change.
#
#     CONFIGSVC_URL=http://localhost:5000 examples/shell/worker.sh payments/api
#
# Variables begin with WORKER_, so that whoever may write the service chooses none of the program's others.
set -eu

exec configsvc exec --prefix WORKER_ "${1:-payments/api}" -- sh -c '
    trap "echo stopping; exit 0" TERM INT
    echo "version $CONFIGSVC_EXEC_VERSION: timeout ${WORKER_TIMEOUT_S:-30} s, region ${WORKER_REGION:-any}"
    while :; do
        sleep 1 &   # the work
        wait $!
    done
'
