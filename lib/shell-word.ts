/** A word as a shell takes it, so that a command in a message can be copied: quoted where it must be. */
export function shellWord(word: string): string {
  return /^[\p{L}\p{M}\p{N}./:@%+=_-]+$/u.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
