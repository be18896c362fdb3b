/**
 * The two classes of @huggingface/tokenizers that are used, with their types. The package's own
 * declarations import each other without file extensions, which Node's module resolution for types
 * cannot follow, so the shapes needed are written down here.
 */
import * as library from '@huggingface/tokenizers'

/** A tokenizer built from parsed tokenizer.json and tokenizer_config.json. */
export interface LibraryTokenizer {
  /** `ids` has undefined entries where the vocabulary lacks a symbol and there is no unk token. */
  encode(text: string, options: { add_special_tokens: boolean }): { ids: (number | undefined)[] }
  token_to_id(token: string): number | undefined
  id_to_token(id: number): string | undefined
}

/** Splits text into words by a `Split` entry of tokenizer.json. */
export interface LibrarySplitter {
  pre_tokenize_text(text: string): string[]
}

interface LibraryClasses {
  Tokenizer: new (tokenizer: unknown, config: unknown) => LibraryTokenizer
  SplitPreTokenizer: new (config: unknown) => LibrarySplitter
}

export const { Tokenizer: HuggingFaceTokenizer, SplitPreTokenizer } =
  library as unknown as LibraryClasses
