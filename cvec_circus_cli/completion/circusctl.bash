# Completion of circusctl for bash: source <(circusctl completion bash)

_circusctl() {
    local line=${COMP_LINE:0:COMP_POINT} one
    COMPREPLY=()
    while IFS= read -r one; do
        COMPREPLY+=("$(printf '%q' "$one")")
    done < <("${COMP_WORDS[0]}" complete "$line" 2>/dev/null)
    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
    declare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions "${COMP_WORDS[COMP_CWORD]}"
    return 0
}

complete -F _circusctl circusctl cvec_circusctl
