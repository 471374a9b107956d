# fish completion of midwatch: midwatch completion fish | source
function __midwatch_words
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] __complete $words[2..-1] 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c midwatch -f -k -a '(__midwatch_words)'
