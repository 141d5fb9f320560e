# A worker that writes down what it finds:   sh witness.sh FILE [WORDS]
#
# One fact a line, NAME=VALUE; then it stays.
in=$(readlink /proc/$$/fd/0) out=$(readlink /proc/$$/fd/1) err=$(readlink /proc/$$/fd/2)
{
    echo "words=$(tr '\0' '|' < /proc/$$/cmdline)"
    echo "program=$(readlink /proc/$$/exe)"
    echo "folder=$(pwd -P)"
    echo "uid=$(id -u)"
    echo "gid=$(id -g)"
    echo "groups=$(id -G)"
    echo "umask=$(umask)"
    echo "stdin=$in"
    echo "stdout=$out"
    echo "stderr=$err"
    for limit in n c t; do
        echo "limit $limit=$(ulimit -S$limit) $(ulimit -H$limit)"
    done
    echo "oom_score_adj=$(cat /proc/$$/oom_score_adj)"
    sed -n 's/^\(Cap[A-Z][a-z]*\|NoNewPrivs\):[^0-9a-f]*/\1=/p' /proc/$$/status
    tr '\0' '\n' < /proc/$$/environ | sed 's/^/env /'
} > "$1.part"
mv "$1.part" "$1"
exec sleep 1000
