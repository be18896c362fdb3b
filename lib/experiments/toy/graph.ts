/**
 * Planning as path finding (ALPINE, arXiv 2405.09220): a random acyclic graph, nodes 0 … n − 1, an edge
 * i → j with probability p for i < j. The prompt is "s t :", the completion the nodes of a path after s,
 * up to t, and END.
 */
import { type Dice, dice, type ToySample } from './train.ts'

export interface Graph {
  nodes: number
  edge(from: number, to: number): boolean
  /** Pairs (s, t) with a path from s to t, in a random order that follows from the seed. */
  pairs: [number, number][]
  /** A random walk from s that ends in t: every step to a successor from which t can be reached. */
  walk(pair: readonly [number, number], random: Dice): ToySample
  prompt(pair: readonly [number, number]): Int32Array
  /** Whether a completion is a path of the prompt. */
  right(prompt: Int32Array, completion: Int32Array): boolean
  end: number
  vocab: number
}

export function randomGraph(nodes: number, p: number, seed: number): Graph {
  const random = dice(`graph ${nodes} ${p} ${seed}`)
  const edges = Array.from({ length: nodes }, (_, i) =>
    Array.from({ length: nodes }, (_, j) => i < j && random.uniform() < p),
  )
  // reach[i][j]: whether j can be reached from i, in reverse topological order.
  const reach = Array.from({ length: nodes }, () => new Array<boolean>(nodes).fill(false))
  for (let i = nodes - 1; i >= 0; i--) {
    for (let j = i + 1; j < nodes; j++) {
      if (!edges[i]![j]) continue
      reach[i]![j] = true
      for (let k = j + 1; k < nodes; k++) if (reach[j]![k]) reach[i]![k] = true
    }
  }
  const pairs: [number, number][] = []
  for (let s = 0; s < nodes; s++) {
    for (let t = s + 1; t < nodes; t++) if (reach[s]![t]) pairs.push([s, t])
  }
  for (let i = pairs.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    ;[pairs[i], pairs[j]] = [pairs[j]!, pairs[i]!]
  }
  const colon = nodes
  const end = nodes + 1
  const prompt = ([s, t]: readonly [number, number]): Int32Array => Int32Array.of(s, t, colon)
  return {
    nodes,
    edge: (from, to) => edges[from]?.[to] ?? false,
    pairs,
    walk(pair, dice) {
      const [s, t] = pair
      const path: number[] = []
      for (let at = s; at !== t; at = path.at(-1)!) {
        const next: number[] = []
        for (let j = at + 1; j <= t; j++)
          if (edges[at]![j] && (j === t || reach[j]![t])) next.push(j)
        path.push(next[dice.below(next.length)]!)
      }
      return { prompt: prompt(pair), completion: Int32Array.from([...path, end]) }
    },
    prompt,
    right(asked, completion) {
      const [s, t] = [asked[0]!, asked[1]!]
      if (completion.length < 2 || completion.at(-1) !== end || completion.at(-2) !== t)
        return false
      let at = s
      for (const node of completion.slice(0, -1)) {
        if (!edges[at]?.[node]) return false
        at = node
      }
      return true
    },
    end,
    vocab: nodes + 2,
  }
}
