#!/bin/sh
# Takes out of notebooks what running and looking at them adds: outputs, counts, metadata of the kernel and of the
# screen. With names of notebooks it rewrites these; without, it reads one and writes it, as git's filter.
# --install has git see notebooks so, --uninstall as they are. Ids stay: records name the cell that made them.
set -eu
filter=filter.clusterlib-notebook
kernel='codemirror_mode file_extension mimetype nbconvert_exporter pygments_lexer version'
screen='collapsed deletable editable scrolled slideshow execution jupyter'

case ${1:-} in
    --install)
        # From the top of the repository, where git runs it; without git there is nothing to do.
        if place=$(git rev-parse --show-prefix 2>/dev/null); then
            git config --local $filter.clean "${place}scripts/strip.sh"
        fi
        exit 0 ;;
    --uninstall)
        git config --local --remove-section $filter
        exit 0 ;;
esac
tools=$(dirname -- "$0")/../.venv/bin
# A notebook is not lost for want of the tool: it stays as it is.
if [ $# -eq 0 ] && [ ! -x "$tools/nbstripout" ]; then exec cat; fi
keys=metadata.widgets
for key in $kernel; do keys="$keys metadata.language_info.$key"; done
for key in $screen; do keys="$keys cell.metadata.$key"; done
# As clusterlib/core/quick.py: the grammar of web addresses takes longer than all else, and no notebook needs it.
start='import sys; sys.modules["rfc3987_syntax"] = None; import nbstripout; nbstripout.main()'
exec "$tools/python" -c "$start" --keep-id --extra-keys "$keys" "$@"
