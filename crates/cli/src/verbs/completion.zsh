#compdef @COMMANDS@
# Completion of bivouac's commands for zsh.
_bivouac_complete() {
    local -a answer values texts
    local line
    answer=("${(@f)$(command bivouac complete "${(@)words[1,CURRENT]}" 2>/dev/null)}")
    case ${answer[1]-} in
    :file) _files; return ;;
    :folder) _files -/; return ;;
    '') return 1 ;;
    esac
    for line in $answer; do
        values+=("${line%%$'\t'*}")
        texts+=("${line//$'\t'/  -- }")
    done
    if [[ ${values[1]} == *= ]]; then
        compadd -Q -l -S '' -d texts -a values
    else
        compadd -Q -l -d texts -a values
    fi
}
compdef _bivouac_complete @COMMANDS@
