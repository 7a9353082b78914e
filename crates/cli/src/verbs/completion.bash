# Completion of bivouac's commands for bash.
_bivouac_complete() {
    local answer line
    mapfile -t answer < <(command bivouac complete "${COMP_WORDS[@]:0:COMP_CWORD+1}" 2>/dev/null)
    COMPREPLY=()
    case ${answer[0]-} in
    :file) compopt -o default; return ;;
    :folder) compopt -o default; mapfile -t COMPREPLY < <(compgen -d -- "$2"); compopt -o filenames; return ;;
    esac
    for line in "${answer[@]}"; do
        line=${line%%$'\t'*}
        # bash replaces only what stands after the first = of the word.
        [[ $line == *=?* ]] && line=${line#*=}
        COMPREPLY+=("$line")
    done
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -F _bivouac_complete @COMMANDS@
