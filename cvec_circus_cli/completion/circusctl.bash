# Completion of circusctl for bash: source <(circusctl completion bash)

_circusctl() {
    local line=${COMP_LINE:0:COMP_POINT} program=${COMP_WORDS[0]/#\~\//$HOME/}
    # Bash breaks words at : and = too, and replaces only what is behind the last of these ($2).
    local pattern='(([^[:space:]\\]|\\.)*)$' before="" one
    [[ ${line%"$2"} =~ $pattern ]] && before=${BASH_REMATCH[1]}
    COMPREPLY=()
    while IFS= read -r one; do
        # Inside quotes a name stands as it is, and bash closes them.
        if [[ $before != [\'\"]* ]]; then
            printf -v one %q "$one"
            one=${one#"$before"}
        fi
        COMPREPLY+=("$one")
    done < <("$program" complete "$line" 2>/dev/null)
    [[ ${COMPREPLY[0]} == *[=.] ]] && compopt -o nospace 2>/dev/null
    return 0
}

complete -F _circusctl circusctl cvec_circusctl
