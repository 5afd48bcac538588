"""`cgdmer completion SHELL`: a script that completes commands, options, choices and file names in a shell.

It is written from the parser, so it knows every command and option of this version.
"""

import argparse
from collections.abc import Iterable, Mapping

SHELLS = ("bash", "zsh", "fish")
_BASH = """# cgdmer {version}: completion for bash. In ~/.bashrc: eval "$(cgdmer completion bash)"
_cgdmer() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" command="" word
    for word in "${{COMP_WORDS[@]:1:$((COMP_CWORD-1))}}"; do
        if [[ "$word" != -* ]]; then command="$word"; break; fi
    done
    COMPREPLY=()
    case "$command $previous" in
{choices}
    esac
    case "$command" in
        "") {first}; return ;;
{cases}
    esac
    if [[ ${{#COMPREPLY[@]}} -eq 0 ]]; then
        compopt -o filenames 2>/dev/null
        local IFS=$'\\n'
        COMPREPLY=($(compgen -f -- "$current"))
    fi
}}
complete -F _cgdmer cgdmer
"""
_ZSH = """# cgdmer {version}: completion for zsh. In ~/.zshrc, after compinit: eval "$(cgdmer completion zsh)"
autoload -U +X bashcompinit && bashcompinit
"""
Options = Mapping[str, tuple[str, tuple[str, ...], bool]]
"""By option: its help, its choices, and whether a value follows it."""
Words = Mapping[str, list[str]]
"""By command: the words that its first argument may be, if they are limited."""


def script(
    shell: str, top: argparse.ArgumentParser, commands: Mapping[str, argparse.ArgumentParser], version: str
) -> str:
    """Return the script for one of `SHELLS`, given the parser of the program and those of its commands."""
    described = {name: options_of(parser) for name, parser in commands.items()}
    words = {name: words_of(parser) for name, parser in commands.items()}
    if shell == "fish":
        helps = {name: parser.description or "" for name, parser in commands.items()}
        return _fish(options_of(top), described, words, helps, version)
    bash = _bash(options_of(top), described, words, version)
    return bash if shell == "bash" else _ZSH.format(version=version) + bash.partition("\n")[2]


def options_of(parser: argparse.ArgumentParser) -> Options:
    """Return the options of a parser in both their forms."""
    return {
        option: (_help(action, parser.prog), tuple(map(str, action.choices or ())), action.nargs != 0)
        for action in parser._actions  # argparse has no public list of them
        for option in action.option_strings
    }


def _help(action: argparse.Action, program: str) -> str:
    return (action.help or "") % {**vars(action), "prog": program}


def words_of(parser: argparse.ArgumentParser) -> list[str]:
    """Return the words that a positional argument of a parser may be, if they are limited."""
    positional = [action for action in parser._actions if not action.option_strings]
    return [str(word) for action in positional for word in action.choices or ()]


def _bash(top: Options, commands: Mapping[str, Options], words: Words, version: str) -> str:
    choices = [
        f'        "{name} {option}") {_offer(allowed)}; return ;;'
        for name, options in commands.items()
        for option, (_, allowed, _) in options.items()
        if allowed
    ]
    cases = [
        f'        {name}) if [[ "$current" == -* ]]; then {_offer(options)}; else {_offer(words[name])}; fi ;;'
        for name, options in commands.items()
    ]
    return _BASH.format(
        version=version, first=_offer([*commands, *top]), choices="\n".join(choices), cases="\n".join(cases)
    )


def _offer(words: Iterable[str]) -> str:
    return f'COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$current"))'


def _fish(
    top: Options,
    commands: Mapping[str, Options],
    words: Words,
    helps: Mapping[str, str],
    version: str,
) -> str:
    lines = [f"# cgdmer {version}: completion for fish. Save as ~/.config/fish/completions/cgdmer.fish"]
    lines += [_fish_line("__fish_use_subcommand", option, *facts) for option, facts in top.items()]
    lines += [
        f"complete -c cgdmer -f -n __fish_use_subcommand -a {name} -d {_quoted(helps[name])}" for name in commands
    ]
    for name, options in commands.items():
        condition = f"'__fish_seen_subcommand_from {name}'"
        lines += [_fish_line(condition, option, *facts) for option, facts in options.items()]
        lines += [f"complete -c cgdmer -f -n {condition} -a {_quoted(' '.join(words[name]))}"] if words[name] else []
    return "\n".join(lines) + "\n"


def _fish_line(condition: str, option: str, text: str, choices: tuple[str, ...], takes_value: bool) -> str:
    kind = "-l" if option.startswith("--") else "-s"
    value = f" -x -a {_quoted(' '.join(choices))}" if choices else " -r" if takes_value else ""
    return f"complete -c cgdmer -n {condition} {kind} {option.lstrip('-')}{value} -d {_quoted(text)}"


def _quoted(text: str) -> str:
    """Return a word in single quotes as fish reads it."""
    return "'" + text[:120].replace("\\", "\\\\").replace("'", "\\'") + "'"
