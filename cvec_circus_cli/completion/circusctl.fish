# Completion of circusctl for fish: circusctl completion fish | source

function __circusctl_candidates
    set -l words (commandline -opc)
    $words[1] complete (string join ' ' -- $words)' '(commandline -ct) 2>/dev/null
end

for program in circusctl cvec_circusctl
    complete -c $program -f -a '(__circusctl_candidates)'
end
