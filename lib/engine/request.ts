/** One completion asked for. */
export interface GenerateRequest {
  /** The prompt. */
  tokens: Int32Array
  maxNewTokens: number
  /** Ids that end the completion (the id itself is kept). */
  stopTokens?: Int32Array
  /** 0: the likeliest token, with its log-prob at temperature 1. Default: 1. */
  temperature?: number
  topK?: number
  topP?: number
  minP?: number
  /** Same seed and stream, same noise; give every sequence its own stream. */
  seed?: number
  stream?: number
}
