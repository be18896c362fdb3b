/** `kogrpo completion SHELL`: the lines that let a shell complete command lines of kogrpo. */
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { FILES } from '../complete.ts'
import type { CliContext } from '../context.ts'
import { oneOf } from '../options.ts'

interface CompletionArguments {
  shell?: string
  context: CliContext
}

const SHELLS = ['bash', 'zsh'] as const

/** Both ask the program for the candidates, one a line; one of them stands for the names of files. */
const SCRIPTS: Record<(typeof SHELLS)[number], string> = {
  bash: `# Completion of kogrpo in bash: source <(kogrpo completion bash)
_kogrpo() {
  local line current=\${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == ${FILES} ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current")
    else
      COMPREPLY+=("$line")
    fi
  done < <("\${COMP_WORDS[0]}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _kogrpo kogrpo
`,
  zsh: `#compdef kogrpo
# Completion of kogrpo in zsh: source <(kogrpo completion zsh)
_kogrpo() {
  local line files
  local -a found
  while IFS= read -r line; do
    if [[ $line == ${FILES} ]]; then files=1; else found+=("$line"); fi
  done < <("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( $#found )) && compadd -a found
  [[ -n $files ]] && _files
}
compdef _kogrpo kogrpo
`,
}

function handler({ shell, context }: ArgumentsCamelCase<CompletionArguments>): void {
  const guessed = /zsh$/.test(context.env.SHELL ?? '') ? 'zsh' : 'bash'
  context.stdout.write(SCRIPTS[(shell as (typeof SHELLS)[number] | undefined) ?? guessed])
}

export const command: CommandModule<object, CompletionArguments> = {
  command: 'completion [shell]',
  describe: 'Print what lets bash or zsh complete command lines of kogrpo',
  builder: argv =>
    argv
      .usage(
        '$0 completion [shell]\n\nPrints lines for the start-up file of a shell, where kogrpo is on the PATH (npm install -g kogrpo).',
      )
      .positional('shell', {
        type: 'string',
        describe: 'bash or zsh [default: by $SHELL]',
        coerce: oneOf('shell', SHELLS),
      })
      .example('source <($0 completion bash)', 'in this shell')
      .example("echo 'source <($0 completion bash)' >> ~/.bashrc", 'from now on')
      .example("echo 'source <($0 completion zsh)' >> ~/.zshrc", 'in zsh') as never,
  handler,
}
