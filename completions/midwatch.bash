# bash completion of midwatch: eval "$(midwatch completion bash)"
_midwatch() {
    local line words word prefix IFS=$' \t\n'
    # Bash splits words at ':' and '='; midwatch wants them as they were typed.
    read -ra words <<< "${COMP_LINE:0:COMP_POINT}"
    [[ "${COMP_LINE:0:COMP_POINT}" == *[[:space:]] ]] && words+=("")
    prefix="${words[-1]}"
    COMPREPLY=()
    while IFS= read -r line; do
        word="${line%%$'\t'*}"
        if [[ "$word" == ":files" ]]; then
            compopt -o default 2>/dev/null
            return
        fi
        [[ "$prefix" == *:* ]] && word="${word#"${prefix%"${prefix##*:}"}"}"
        COMPREPLY+=("$(printf '%q' "$word")")
    done < <("${words[0]/#\~/$HOME}" __complete "${words[@]:1}" 2>/dev/null)
}
complete -F _midwatch midwatch
