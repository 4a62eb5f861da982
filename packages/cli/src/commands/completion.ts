// `embed-kd completion`: a script for bash, zsh or fish that completes commands, options and file names.
import { Argument, Command } from 'commander'

/** A command as the table of commands lists it. */
export interface ListedCommand {
  readonly name: string
  readonly summary: string
  readonly command: Command
}

interface Completed {
  readonly name: string
  readonly summary: string
  readonly options: readonly { readonly flag: string; readonly text: string }[]
}

const GLOBAL_OPTIONS: Completed['options'] = [
  { flag: '--quiet', text: 'print results and errors only' },
  { flag: '--verbose', text: 'print more' },
  { flag: '--help', text: 'show options and examples' },
]

/** @param loadAll loads every command; called once a script is asked for. */
export const completionCommand = (loadAll: () => Promise<readonly ListedCommand[]>): Command =>
  new Command('completion')
    .addArgument(new Argument('<shell>', 'shell to complete in').choices(Object.keys(writers)))
    .addHelpText(
      'after',
      `
Examples:
  embed-kd completion bash >> ~/.bashrc
  embed-kd completion zsh > "\${fpath[1]}/_embed-kd"
  embed-kd completion fish > ~/.config/fish/completions/embed-kd.fish
`,
    )
    .action(async (shell: keyof typeof writers) => {
      const described = (await loadAll()).map(describe)
      process.stdout.write(`${writers[shell](described)}\n`)
    })

function describe({ name, summary, command }: ListedCommand): Completed {
  const own = command.options
    .filter(({ hidden }) => !hidden)
    .map(({ long, description }) => ({ flag: long!, text: description }))
  return { name, summary, options: [...own, ...GLOBAL_OPTIONS] }
}

/** A word in single quotes as POSIX shells read it. */
const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`

const flagsOf = ({ options }: Completed): string => options.map(({ flag }) => flag).join(' ')

const writers = {
  bash: (all: readonly Completed[]): string => `_embed_kd() {
  local word=\${COMP_WORDS[COMP_CWORD]} options=
  case $COMP_CWORD/\${COMP_WORDS[1]} in
    1/*) COMPREPLY=($(compgen -W '${all.map(({ name }) => name).join(' ')} --help --version' -- "$word")); return ;;
${all.map((command) => `    */${command.name}) options='${flagsOf(command)}' ;;`).join('\n')}
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
complete -o filenames -F _embed_kd embed-kd`,

  zsh: (all: readonly Completed[]): string => {
    // Brackets and colons end a description there.
    const plain = (text: string) => text.replaceAll(/[[\]]/g, '').replaceAll(':', ',')
    const optionsOf = ({ options }: Completed) =>
      options.map(({ flag, text }) => quote(`${flag}[${plain(text)}]`)).join(' ')
    return `#compdef embed-kd
_embed_kd() {
  local -a commands
  commands=(${all.map(({ name, summary }) => quote(`${name}:${plain(summary)}`)).join(' ')})
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  case $words[2] in
${all.map((command) => `    ${command.name}) _arguments ${optionsOf(command)} '*:file:_files' ;;`).join('\n')}
  esac
}
compdef _embed_kd embed-kd`
  },

  fish: (all: readonly Completed[]): string => {
    // fish knows two escapes inside single quotes.
    const quoted = (text: string) =>
      `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`
    const lines = all.flatMap(({ name, summary, options }) => [
      `complete -c embed-kd -f -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
      ...options.map(
        ({ flag, text }) =>
          `complete -c embed-kd -n '__fish_seen_subcommand_from ${name}' -l ${flag.slice(2)} -d ${quoted(text)}`,
      ),
    ])
    return lines.join('\n')
  },
}
