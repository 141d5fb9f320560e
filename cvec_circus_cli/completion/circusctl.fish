# Completion of circusctl for fish: circusctl completion fish | source

function __circusctl_candidates
    set -l line (string replace -r '^\s*(\w+=\S*\s+)*' '' -- (commandline -cp | string join ' '))
    set -l words (commandline -opc)
    while string match -qr '^\w+=' -- $words[1]
        set -e words[1]
    end
    $words[1] complete $line 2>/dev/null
end

for program in circusctl cvec_circusctl
    complete -c $program -f -a '(__circusctl_candidates)'
end
