# Completion of bivouac's commands for fish.
function __bivouac_complete
    set -l answer (command bivouac complete (commandline -opc) (commandline -ct) 2>/dev/null)
    switch "$answer[1]"
        case ':file'
            __fish_complete_path (commandline -ct)
        case ':folder'
            __fish_complete_directories (commandline -ct)
        case '*'
            printf '%s\n' $answer
    end
end
for command in @COMMANDS@
    complete -c $command -f -a '(__bivouac_complete)'
end
