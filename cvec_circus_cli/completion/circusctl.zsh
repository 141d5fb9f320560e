#compdef circusctl cvec_circusctl
# Completion of circusctl for zsh: source <(circusctl completion zsh)

_circusctl() {
    local -a found
    found=("${(@f)$("${words[1]}" complete "${(j: :)words[1,CURRENT]}" 2>/dev/null)}")
    found=("${(@)found:#}")
    (( ${#found} )) && compadd -- "${found[@]}"
}

if [[ ${funcstack[1]} == _circusctl ]]; then
    _circusctl "$@"
else
    compdef _circusctl circusctl cvec_circusctl
fi
