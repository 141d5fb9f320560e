#compdef circusctl cvec_circusctl
# Completion of circusctl for zsh: source <(circusctl completion zsh)

_circusctl() {
    local line="${(j: :)words[1,CURRENT-1]} $QIPREFIX$PREFIX"
    local -a found unfinished
    found=("${(@f)$(${~words[1]} complete "$line" 2>/dev/null)}")
    found=("${(@)found:#}")
    unfinished=("${(@M)found:#*[=.]}")
    found=("${(@)found:#*[=.]}")
    (( ${#unfinished} )) && compadd -S '' -- "${unfinished[@]}"
    (( ${#found} )) && compadd -- "${found[@]}"
}

if [[ ${funcstack[1]} == _circusctl ]]; then
    _circusctl "$@"
else
    (( ${+functions[compdef]} )) || { autoload -Uz compinit && compinit -i }
    compdef _circusctl circusctl cvec_circusctl
fi
